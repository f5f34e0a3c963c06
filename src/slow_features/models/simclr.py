"""SimCLR: tell each prediction's own encoding from those of others (paper, section 2)."""

from __future__ import annotations

import torch
from torch import Tensor

from slow_features.config.sections import SimCLRSection
from slow_features.errors import InputError
from slow_features.losses.simclr import (
    contrastive_loss,
    other_actions_loss,
    within_sequence_loss,
)
from slow_features.models.jepa import JepaModel, Step, Term


class SimCLR(JepaModel):
    """Contrastive loss between predictions and encodings; `negatives` says against what.

    Published: "across", the other sequences at the same time step. Remedies: "within", the other
    times of the same sequence; "actions", the same start under other sequences' actions; and the
    published loss beside one of these, on all features or on a share of its own.
    """

    section: SimCLRSection

    def __init__(self, section: SimCLRSection, dots: int) -> None:
        if section.across_coeff and section.across_share < 1 and section.state_size < 2:
            raise InputError(
                f"across_share = {section.across_share}: an embedding of one number cannot be "
                "shared; allowed: 1"
            )
        super().__init__(section, dots)

    def terms(self, step: Step) -> list[Term]:
        """Return "contrastive", with weight 1, and the common terms.

        Remedy: "across", the published loss where "contrastive" has other negatives.
        """
        section, how = self.section, (self.section.loss_temp, self.section.normalize_z)
        published, own = self._features()

        def across(features: slice = published) -> Tensor:
            pair = step.predictions[..., features], step.targets[..., features]
            return contrastive_loss(*pair, *how)

        def contrastive() -> Tensor:
            if section.negatives == "across":
                return across(slice(None))
            predictions, targets = step.predictions[..., own], step.targets[..., own]
            if section.negatives == "within":
                return within_sequence_loss(predictions, targets, *how)
            others = self._elsewhere(step)[..., own]
            return other_actions_loss(predictions, others, targets, *how)

        beside = 0.0 if section.negatives == "across" else section.across_coeff
        return [
            Term("contrastive", 1.0, contrastive),
            Term("across", beside, across),
            *super().terms(step),
        ]

    def _features(self) -> tuple[slice, slice]:
        """Return which features the published loss sees beside other negatives, and which these."""
        share = self.section.across_share if self.section.across_coeff else 1.0
        if share == 1:
            return slice(None), slice(None)
        size = self.section.state_size
        published = min(max(round(share * size), 1), size - 1)
        return slice(published), slice(published, None)

    def _elsewhere(self, step: Step) -> Tensor:
        """Predict from each start under the actions of the next K sequences: [K, T - 1, B, D]."""
        count = self.section.other_actions
        actions = [step.actions.roll(-k, dims=1) for k in range(1, count + 1)]
        start = step.encodings[0].repeat(count, 1)  # [K * B, D]
        predicted = self.predict(start, torch.cat(actions, dim=1))  # [T - 1, K * B, D]
        return predicted.unflatten(1, (count, -1)).transpose(0, 1)
