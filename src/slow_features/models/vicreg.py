"""VICReg: predict encodings while keeping them varied and decorrelated (paper, section 2)."""

from __future__ import annotations

from slow_features.config.sections import VICRegSection
from slow_features.errors import InputError
from slow_features.losses.prediction import prediction_error
from slow_features.losses.sigreg import sigreg
from slow_features.losses.vicreg import covariance, variance_hinge
from slow_features.models.jepa import JepaModel, Step, Term


class VICReg(JepaModel):
    """Prediction error + variance hinge + covariance, the last two on the encodings."""

    section: VICRegSection

    def __init__(self, section: VICRegSection, dots: int) -> None:
        if not any(value for name, value in section if name.endswith("_coeff")):
            raise InputError("sim_coeff = 0.0: every coefficient is 0; allowed: one above 0")
        super().__init__(section, dots)

    def terms(self, step: Step) -> list[Term]:
        """Return VICReg's terms, the remedies' and the common ones.

        Published: "sim", prediction error; "std", "cov": over the batch, of the encodings, frame 0
        left out with skip_first_step_vc. Remedies: "time_std", "time_cov": the same two over the
        frames of a sequence, so that encodings may not be constant in time (paper, conclusion);
        "sigreg": in place of "std" and "cov".
        """
        section = self.section
        varied = step.encodings[int(section.skip_first_step_vc) :]  # [T or T - 1, B, D]
        by_sequence = step.encodings.transpose(0, 1)  # [B, T, D]: the frames stand for the batch
        pair = step.predictions, step.targets
        return [
            Term("sim", section.sim_coeff, lambda: prediction_error(*pair)),
            Term("std", section.std_coeff, lambda: variance_hinge(varied)),
            Term("cov", section.cov_coeff, lambda: covariance(varied)),
            Term("time_std", section.time_std_coeff, lambda: variance_hinge(by_sequence)),
            Term("time_cov", section.time_cov_coeff, lambda: covariance(by_sequence)),
            Term("sigreg", section.sigreg_coeff, lambda: sigreg(varied, step.generator)),
            *super().terms(step),
        ]
