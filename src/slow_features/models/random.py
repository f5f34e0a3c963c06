"""Random: an untrained network, the upper bound of a useful error (paper, section 4)."""

from __future__ import annotations

from slow_features.config.sections import RandomSection
from slow_features.models.jepa import EncoderPredictor


class Random(EncoderPredictor):
    """Encoder and predictor with their initial weights, frozen."""

    def __init__(self, section: RandomSection, dots: int) -> None:
        super().__init__(section, dots)
        self.requires_grad_(False)
