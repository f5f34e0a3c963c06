"""VICReg: predict encodings while keeping them varied and decorrelated (paper, section 2)."""

from __future__ import annotations

from torch import Tensor

from slow_features.config.sections import VICRegSection
from slow_features.data.batch import TimeMajorBatch
from slow_features.errors import InputError
from slow_features.losses.prediction import prediction_error
from slow_features.losses.vicreg import covariance, variance_hinge
from slow_features.models.jepa import JepaModel, Term


class VICReg(JepaModel):
    """Prediction error + variance hinge + covariance, the last two on the encodings."""

    section: VICRegSection

    def __init__(self, section: VICRegSection, dots: int) -> None:
        if not any(value for name, value in section if name.endswith("_coeff")):
            raise InputError("sim_coeff = 0.0: every coefficient is 0; allowed: one above 0")
        super().__init__(section, dots)

    def terms(self, batch: TimeMajorBatch, encodings: Tensor, predictions: Tensor) -> list[Term]:
        """Return VICReg's terms and the common ones.

        "sim": prediction error; "std", "cov": of the encodings, frame 0 left out with
        skip_first_step_vc.
        """
        section = self.section
        varied = encodings[int(section.skip_first_step_vc) :]
        return [
            Term("sim", section.sim_coeff, lambda: prediction_error(predictions, encodings[1:])),
            Term("std", section.std_coeff, lambda: variance_hinge(varied)),
            Term("cov", section.cov_coeff, lambda: covariance(varied)),
            *super().terms(batch, encodings, predictions),
        ]
