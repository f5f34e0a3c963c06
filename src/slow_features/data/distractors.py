"""Noise from counters: uniform pixels by an integer hash, or natural images by a drawn number.

Both sources have one method, `fill`, and both depend on nothing but the keys of the frames.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from slow_features.data.geometry import PIXELS

_WORDS = PIXELS // 2  # 32-bit words that a frame takes, two pixels each


class Distractor(Protocol):
    """A source of noise in [0, 1]."""

    def fill(self, out: Tensor, keys: np.ndarray, scale: Tensor, shift: Tensor) -> None:
        """Write scale * noise + shift into `out`.

        out: float32 [N, C, 784]. keys: uint64 [N, C]. scale, shift: [C], on the device of out.
        """
        ...


class UniformNoise:
    """Every pixel U(0, 1) on a grid of 2^16 values: (k + 1/2) / 2^16."""

    def fill(self, out: Tensor, keys: np.ndarray, scale: Tensor, shift: Tensor) -> None:
        """Write scale * noise + shift; see Distractor.fill.

        Speed: one hashed 32-bit word makes two pixels, and the conversion to [0, 1] is folded
        into scale and shift, (k + 1/2) / 2^16 * scale + shift with k = h + 2^15 for a signed
        half word h. That is the same number up to the rounding of float32. The memory of `out`
        serves as scratch before the pixels are written to it: fresh memory is slower than the
        arithmetic.
        """
        halves = torch.from_numpy(keys.reshape(-1).view(np.int32)).to(out.device).view(-1, 2)
        scratch = out.view(torch.int32).view(2, -1, _WORDS)[0]
        out.view(-1, PIXELS).copy_(_hash(halves, scratch).view(torch.int16))
        unit = scale / 65536
        out.mul_(unit[:, None]).add_((32768.5 * unit + shift)[:, None])


class ImageNoise:
    """Every frame an image, drawn uniformly from a bank."""

    def __init__(self, bank: np.ndarray, device: torch.device | str) -> None:
        """Keep the bank, uint8 [n, 28, 28], on the device."""
        self.bank = torch.from_numpy(bank.reshape(-1, PIXELS)).to(device)

    def fill(self, out: Tensor, keys: np.ndarray, scale: Tensor, shift: Tensor) -> None:
        """Write scale * noise + shift; see Distractor.fill. Grey value 255 is 1."""
        high_words = keys.reshape(-1) >> np.uint64(32)
        drawn = (high_words * np.uint64(len(self.bank))) >> np.uint64(32)
        numbers = torch.from_numpy(drawn.astype(np.int64)).to(out.device)
        out.view(-1, PIXELS).copy_(self.bank[numbers])
        out.mul_((scale / 255)[:, None]).add_(shift[:, None])


def _hash(keys: Tensor, scratch: Tensor) -> Tensor:
    """Return 392 random 32-bit words for each key: int32 [N, 2] to int32 [N, 392].

    Word i of a key (a, b) is mix(a + i * b), b made odd: a Weyl sequence with a start and a step
    of its own for each frame (as in SplitMix, Steele et al. 2014), then the integer finaliser
    `lowbias32` (Wellons, hash-prospector). All arithmetic is modulo 2^32, so the bits are the
    same on every device. A shift of int32 copies the sign, hence the masks.
    scratch: int32 [N, 392], overwritten.
    """
    index = torch.arange(_WORDS, dtype=torch.int32, device=keys.device)
    words = index * (keys[:, 1:] | 1)
    words += keys[:, :1]
    for shift, multiplier in ((16, 0x7FEB352D), (15, 0x846CA68B - (1 << 32)), (16, 1)):
        torch.bitwise_right_shift(words, shift, out=scratch)
        scratch.bitwise_and_((1 << (32 - shift)) - 1)
        words.bitwise_xor_(scratch)
        if multiplier != 1:
            words.mul_(multiplier)
    return words
