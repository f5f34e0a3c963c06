"""The data, written slowly from the formulas: the reference of the tests and of the benchmark.

Everything but `straightforward_batch` loops over single pixels in Python. That one is the form
in which one would write a batch first: whole-image density, fresh noise, channel by channel.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

SIZE = 28
_MASK_32, _MASK_64 = (1 << 32) - 1, (1 << 64) - 1


def walk(start: tuple[float, float], actions: list, low: float, high: float) -> list:
    """Return the locations of one dot: each is the last one plus the action, clamped."""
    places = [tuple(start)]
    for dx, dy in actions:
        x, y = places[-1]
        places.append((min(max(x + dx, low), high), min(max(y + dy, low), high)))
    return places


def density(column: int, row: int, location: tuple[float, float], sigma: float) -> float:
    """Return the two-dimensional Gaussian density at a pixel."""
    distance = (column - location[0]) ** 2 + (row - location[1]) ** 2
    return math.exp(-distance / (2 * sigma**2)) / (2 * math.pi * sigma**2)


def clean_frame(locations: np.ndarray, sigma: float, channels: int) -> np.ndarray:
    """Draw one frame [channels, 28, 28] in float64; locations [dots, 2]."""
    frame = np.zeros((channels, SIZE, SIZE))
    for dot, location in enumerate(locations):
        for row in range(SIZE):
            for column in range(SIZE):
                frame[dot % channels, row, column] += density(column, row, location, sigma)
    return frame


def noisy_frame(clean, fixed, changing, number, setting, m) -> np.ndarray:
    """Return dot + alpha_fixed * F * m + alpha_changing * C * m of frame `number`.

    clean, fixed (F), changing (C): [28, 28]. F has moved int(number * speed) px to the right.
    """
    frame = np.empty((SIZE, SIZE))
    shift = int(number * setting.speed)
    for row in range(SIZE):
        for column in range(SIZE):
            frame[row, column] = (
                clean[row, column]
                + setting.fixed * fixed[row, (column - shift) % SIZE] * m
                + setting.changing * changing[row, column] * m
            )
    return frame


def whole_frame(layers: list, statistics, channels: int) -> np.ndarray:
    """Return a normalised frame [channels, 28, 28] from each dot's noisy frame [28, 28].

    Each dot's frame is normalised by itself; with one channel they are then summed.
    """
    frame = np.zeros((channels, SIZE, SIZE))
    for dot, layer in enumerate(layers):
        frame[dot % channels] += (layer - statistics.mean[dot]) / statistics.std[dot]
    return frame


def splitmix64(value: int) -> int:
    """Mix 64 bits; SplitMix64's output function."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK_64
    return value ^ (value >> 31)


def frame_key(split_key: int, sequence: int, slot: int, channel: int) -> int:
    """Return the key of a frame's noise; slot 0 is the sequence's fixed noise, i + 1 frame i."""
    counter = sequence << 16 | slot << 4 | channel
    return splitmix64((counter * 0x9E3779B97F4A7C15 + split_key) & _MASK_64)


def uniform_frame(key: int) -> np.ndarray:
    """Return the uniform noise of one frame [28, 28] from its key, in integers and float64."""
    start, step = key & _MASK_32, key >> 32 | 1
    pixels = []
    for index in range(SIZE * SIZE // 2):
        word = (start + index * step) & _MASK_32
        word = ((word ^ word >> 16) * 0x7FEB352D) & _MASK_32
        word = ((word ^ word >> 15) * 0x846CA68B) & _MASK_32
        word ^= word >> 16
        for half in (word & 0xFFFF, word >> 16):
            signed = half - 65536 if half >= 32768 else half
            pixels.append((signed + 32768.5) / 65536)
    return np.array(pixels).reshape(SIZE, SIZE)


def straightforward_batch(
    locations: Tensor,
    sigma: float,
    fixed: float,
    changing: float,
    mean: list[float],
    std: list[float],
    generator: torch.Generator,
) -> Tensor:
    """Make a normalised batch of frames [B, T, dots, 28, 28] the plain way.

    locations: [B, T, dots, 2] in px.
    """
    pixels = torch.arange(SIZE, dtype=torch.float32)
    channels = []
    for dot in range(locations.shape[2]):
        x, y = locations[:, :, dot, 0, None, None], locations[:, :, dot, 1, None, None]
        distance = (pixels[None, :] - x) ** 2 + (pixels[:, None] - y) ** 2
        frames = torch.exp(-distance / (2 * sigma**2)) / (2 * math.pi * sigma**2)
        m = frames.max()
        if fixed:
            frames = frames + fixed * torch.rand(frames[:, :1].shape, generator=generator) * m
        if changing:
            frames = frames + changing * torch.rand(frames.shape, generator=generator) * m
        channels.append((frames - mean[dot]) / std[dot])
    return torch.stack(channels, dim=2)
