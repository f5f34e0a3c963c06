"""Making frames: dots, plus noise, normalised, in as few passes over the pixels as possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from slow_features.data.counters import frame_keys
from slow_features.data.distractors import Distractor, ImageNoise, UniformNoise
from slow_features.data.geometry import IMAGE_SIZE, PIXELS
from slow_features.data.noise import NoiseSetting
from slow_features.data.render import add_dots, peak
from slow_features.data.statistics import PixelStatistics

_IMAGES_AT_ONCE = 1088  # that a CPU finishes together, such as 64 sequences of 17 frames


class FrameMaker:
    """Makes the frames of one split with one noise setting on one device.

    Paper, section 3: frame = dot + alpha_fixed * F * m + alpha_changing * C * m, with m the
    largest pixel of the clean batch, F drawn once per sequence and C once per frame. Each dot has
    a frame with noise and normalisation of its own; with one channel these are then summed
    (published behaviour).
    """

    def __init__(
        self,
        key: np.uint64,
        noise: NoiseSetting,
        dot_std: float,
        statistics: PixelStatistics,
        channels: int,
        device: torch.device | str = "cpu",
        bank: np.ndarray | None = None,
    ) -> None:
        """Set up the noise.

        key: of the split, from `counters.split_key`. statistics: of the pixels, one entry per
        dot, by which frames are normalised. channels: as many as dots, or 1 for their sum.
        bank: uint8 [n, 28, 28], for structured noise.
        """
        self.key, self.noise, self.dot_std = key, noise, dot_std
        self.device = torch.device(device)
        self.channels, self._dots = channels, len(statistics.mean)
        mean = torch.tensor(statistics.mean, device=self.device)
        self._inverse_std = 1 / torch.tensor(statistics.std, device=self.device)
        self._shift = -mean * self._inverse_std
        self._source: Distractor = UniformNoise() if bank is None else ImageNoise(bank, self.device)

    def frames(self, locations: np.ndarray, first: int, count: int | None = None) -> Tensor:
        """Make the first `count` frames of a batch (all of them without a count).

        locations: [B, T, dots, 2] in px, with all T frames, since m depends on all of them.
        first: number of the batch's first sequence in the split.
        Returns [B, count, C, 28, 28], normalised; a sum of dots has the mean 0, but a larger
        standard deviation than 1.

        Speed: (dot + noise - mean) / std is computed as dot * (1 / std) + (noise * (1 / std)
        - mean / std): the bracket is the background, written once, and the dots are added to it
        in place, which equals the formula up to the rounding of float32. On a CPU a few
        sequences are finished before the next are begun, so that their pixels stay in its cache.
        """
        numbers = range(locations.shape[1] if count is None else count)
        sequences = np.arange(first, first + len(locations))
        m = peak(locations, self.dot_std) if self.noise.alpha else 0.0
        wanted = torch.from_numpy(locations[:, : len(numbers)]).to(self.device)
        size = (len(sequences), len(numbers), self._dots, IMAGE_SIZE, IMAGE_SIZE)
        frames = torch.empty(size, device=self.device)
        images = len(numbers) * self._dots
        at_once = max(1, _IMAGES_AT_ONCE // images) if self.device.type == "cpu" else len(sequences)
        for begin in range(0, len(sequences), at_once):
            part = slice(begin, begin + at_once)
            self._write_background(frames[part], sequences[part], numbers, m)
            add_dots(frames[part], wanted[part], self.dot_std, self._inverse_std)
        return frames if self.channels == self._dots else frames.sum(2, keepdim=True)

    def _write_background(
        self, frames: Tensor, sequences: np.ndarray, numbers: Sequence[int], m: float
    ) -> None:
        """Write noise * (1 / std) - mean / std into frames; a noise that is absent costs nothing.

        frames: [B, T, dots, 28, 28], T frames with the given numbers.
        """
        changing, fixed = self.noise.changing * m, self.noise.fixed * m
        if changing:
            self._draw(frames, sequences, numbers, changing, self._shift)
        else:
            frames.copy_(self._shift[:, None, None])
        if fixed:
            still = torch.empty_like(frames[:, :1])
            self._draw(still, sequences, None, fixed, torch.zeros_like(self._shift))
            frames += self._moved(still, numbers)

    def _draw(
        self,
        frames: Tensor,
        sequences: np.ndarray,
        numbers: Sequence[int] | None,
        level: float,
        shift: Tensor,
    ) -> None:
        """Write noise * level / std + shift into frames [B, T, dots, 28, 28].

        numbers: of the T frames; None for noise of a whole sequence (T = 1).
        """
        keys = frame_keys(self.key, sequences, numbers, self._dots)
        images = frames.view(-1, self._dots, PIXELS)
        self._source.fill(images, keys.reshape(-1, self._dots), level * self._inverse_std, shift)

    def _moved(self, still: Tensor, numbers: Sequence[int]) -> Tensor:
        """Repeat noise [B, 1, dots, 28, 28] for every frame, moved along the width by its speed.

        Frame i is rolled int(i * speed) px towards larger x; what leaves on the right comes back
        on the left. Without a speed this is a view that takes no memory.
        """
        if not self.noise.speed:
            return still.expand(-1, len(numbers), -1, -1, -1)
        moved = [still.roll(int(i * self.noise.speed), dims=-1) for i in numbers]
        return torch.cat(moved, dim=1)
