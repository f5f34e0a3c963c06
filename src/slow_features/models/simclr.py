"""SimCLR: tell each prediction's own encoding from those of others (paper, section 2)."""

from __future__ import annotations

import torch
from torch import Tensor

from slow_features.config.sections import SimCLRSection
from slow_features.losses.simclr import (
    contrastive_loss,
    other_actions_loss,
    within_sequence_loss,
)
from slow_features.models.jepa import JepaModel, Step, Term


class SimCLR(JepaModel):
    """Contrastive loss between predictions and encodings; `negatives` says against what.

    Published: "across", the other sequences at the same time step. Remedies: "within", the other
    times of the same sequence; "actions", the same start under other sequences' actions.
    """

    section: SimCLRSection

    def terms(self, step: Step) -> list[Term]:
        """Return "contrastive", with weight 1, and the common terms."""
        section, how = self.section, (self.section.loss_temp, self.section.normalize_z)

        def contrastive() -> Tensor:
            if section.negatives == "across":
                return contrastive_loss(step.predictions, step.targets, *how)
            if section.negatives == "within":
                return within_sequence_loss(step.predictions, step.targets, *how)
            return other_actions_loss(step.predictions, self._elsewhere(step), step.targets, *how)

        return [Term("contrastive", 1.0, contrastive), *super().terms(step)]

    def _elsewhere(self, step: Step) -> Tensor:
        """Predict from each start under the actions of the next K sequences: [K, T - 1, B, D]."""
        count = self.section.other_actions
        actions = [step.actions.roll(-k, dims=1) for k in range(1, count + 1)]
        start = step.encodings[0].repeat(count, 1)  # [K * B, D]
        predicted = self.predict(start, torch.cat(actions, dim=1))  # [T - 1, K * B, D]
        return predicted.unflatten(1, (count, -1)).transpose(0, 1)
