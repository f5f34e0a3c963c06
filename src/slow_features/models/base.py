"""What every model type is: an encoder, a rollout and named losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from slow_features.config.sections import ModelSection
from slow_features.data.batch import TimeMajorBatch


@dataclass(frozen=True)
class Optimisation:
    """How a model is trained.

    schedule: the rate of update number `step` (from 0); None for a constant rate.
    clip_norm: largest norm of the whole gradient; None for no clipping.
    """

    optimizer: torch.optim.Optimizer
    schedule: Callable[[int], float] | None = None
    clip_norm: float | None = None


class WorldModel(nn.Module):
    """A model of the dot: encodes frames, predicts the next ones, names its losses.

    A new model type subclasses this, implements `losses`, `rollout` and `optimisation`, and gets
    a line in models/registry.py.
    """

    probed_in_training_mode: ClassVar[bool] = False  # True: BatchNorm never leaves batch statistics
    own_probe: nn.Linear | None = None  # a probe trained with the model (Supervised)
    first_frames: int = 1  # frames that the first state is made of, all that a rollout sees
    encoder: nn.Module

    def __init__(self, section: ModelSection, dots: int) -> None:
        super().__init__()
        self.section = section
        self.dots = dots
        self.autocast_dtype: torch.dtype | None = None  # set by config key `precision`

    @property
    def arithmetic(self) -> str:
        """The type of convolutions and products by name, "float32" or "bfloat16"."""
        return str(self.autocast_dtype or torch.float32).removeprefix("torch.")

    def autocast(self, device: torch.device) -> torch.autocast:
        """Return the context of convolutions and products, as the setting `precision` says."""
        return torch.autocast(
            device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None
        )

    def encode(self, frames: Tensor) -> Tensor:
        """Encode frames [..., C, H, W] into embeddings [..., D] of the frames' own type."""
        flat = frames.reshape(-1, *frames.shape[-3:])
        with self.autocast(frames.device):
            embeddings = self.encoder(flat)
        return embeddings.to(frames.dtype).reshape(*frames.shape[:-3], -1)

    def encode_sequence(self, frames: Tensor) -> Tensor:
        """Encode the frames of sequences, [T, B, C, H, W] -> [T, B, D], each by itself."""
        return self.encode(frames)

    def losses(self, batch: TimeMajorBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss terms of a batch by name; "loss" is the one that is minimised.

        generator: all of a step's randomness, seeded by (seed, step).
        """
        raise NotImplementedError

    def rollout(self, frames: Tensor, actions: Tensor, generator: torch.Generator) -> Tensor:
        """Predict states from the first frames, [first_frames, B, C, H, W], and the actions.

        actions: [T - 1, B, 2]. Returns [T, B, D]: the encoding of frame 0, then T - 1 predictions.
        """
        raise NotImplementedError

    def optimisation(self, batch_size: int, steps_per_epoch: int, epochs: int) -> Optimisation:
        """Return the optimiser of this model's parameters with its schedule."""
        raise NotImplementedError
