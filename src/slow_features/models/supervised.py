"""Supervised: the lower bound of the error, trained on the true locations (paper, section 4)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from slow_features.config.sections import SupervisedSection
from slow_features.data.batch import TimeMajorBatch
from slow_features.models.base import Optimisation
from slow_features.models.jepa import EncoderPredictor


class Supervised(EncoderPredictor):
    """Encoder, predictor and linear probe trained together on the probe's loss.

    Frame 0 alone is encoded, as when it is probed. Published behaviour: it stays in training mode
    when it is probed, so that BatchNorm uses the statistics of the batch.
    """

    section: SupervisedSection
    probed_in_training_mode: ClassVar[bool] = True

    def __init__(self, section: SupervisedSection, dots: int) -> None:
        super().__init__(section, dots)
        self.probe = nn.Linear(section.state_size, dots * 2, bias=False)

    @property
    def own_probe(self) -> nn.Linear:
        """The linear probe [.., D] -> [.., dots * 2] that is trained with the model."""
        return self.probe

    def losses(self, batch: TimeMajorBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return "loss" alone: the squared distance between probed and true locations.

        Summed over x and y, mean over time steps, batch and dots; in the batch's units of
        location (normalised as published), squared.
        """
        states = self.rollout(batch.states[:1], batch.actions, generator)  # [T, B, D]
        located = self.probe(states).unflatten(-1, (self.dots, 2))
        return {"loss": (located - batch.locations).square().sum(-1).mean()}

    def optimisation(self, batch_size: int, steps_per_epoch: int, epochs: int) -> Optimisation:
        """Return Adam at a constant rate."""
        return Optimisation(torch.optim.Adam(self.parameters(), lr=self.section.lr))
