"""One batch of sequences, as a loader yields it and as a model takes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Sequences with the batch axis first, as a loader yields them.

    states: [B, T, C, H, W] frames, normalised where the settings ask for it.
    locations: [B, T, dots, 2], (x = column, y = row) from the top-left pixel.
    actions: [B, T - 1, dots, 2], the intended moves, before clamping.
    """

    states: Tensor
    locations: Tensor
    actions: Tensor

    def time_major(self) -> TimeMajorBatch:
        """Return the same sequences as models take them: time first, dot 1's actions only."""
        return TimeMajorBatch(
            states=self.states.transpose(0, 1),
            locations=self.locations.transpose(0, 1),
            actions=self.actions[:, :, 0].transpose(0, 1),
        )


@dataclass(frozen=True)
class TimeMajorBatch:
    """Sequences with the time axis first, as a model takes them.

    states: [T, B, C, H, W]; locations: [T, B, dots, 2]; actions: [T - 1, B, 2] of dot 1,
    the only one whose actions a model is told (paper, section 4).
    """

    states: Tensor
    locations: Tensor
    actions: Tensor
