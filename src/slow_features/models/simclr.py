"""SimCLR: tell each prediction's own encoding from those of others (paper, section 2)."""

from __future__ import annotations

from torch import Tensor

from slow_features.config.sections import SimCLRSection
from slow_features.data.batch import TimeMajorBatch
from slow_features.losses.simclr import contrastive_loss
from slow_features.models.jepa import JepaModel, Term


class SimCLR(JepaModel):
    """Contrastive loss between the predictions and encodings of each time step."""

    section: SimCLRSection

    def terms(self, batch: TimeMajorBatch, encodings: Tensor, predictions: Tensor) -> list[Term]:
        """Return "contrastive", with weight 1, and the common terms."""
        temperature, normalize = self.section.loss_temp, self.section.normalize_z
        return [
            Term(
                "contrastive",
                1.0,
                lambda: contrastive_loss(predictions, encodings[1:], temperature, normalize),
            ),
            *super().terms(batch, encodings, predictions),
        ]
