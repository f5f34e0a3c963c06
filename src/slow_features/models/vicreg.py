"""VICReg: predict encodings while keeping them varied and decorrelated (paper, section 2)."""

from __future__ import annotations

from torch import Tensor

from slow_features.config.sections import VICRegSection
from slow_features.data.batch import TimeMajorBatch
from slow_features.errors import InputError
from slow_features.losses.prediction import difference_error, prediction_error
from slow_features.losses.vicreg import covariance, variance_hinge
from slow_features.models.jepa import JepaModel, Term


class VICReg(JepaModel):
    """Prediction error + variance hinge + covariance, the last two on the (projected) encodings."""

    section: VICRegSection

    def __init__(self, section: VICRegSection, dots: int) -> None:
        coefficients = {name: value for name, value in section if name.endswith("_coeff")}
        if not any(coefficients.values()):
            raise InputError(
                "vicreg: all of its coefficients are 0, so there is nothing to train on; "
                f"set at least one of {', '.join(coefficients)}"
            )
        super().__init__(section, dots)

    def terms(self, batch: TimeMajorBatch, encodings: Tensor, predictions: Tensor) -> list[Term]:
        """Return VICReg's terms and the common ones.

        "sim": prediction error; "std", "cov": of the projected encodings, frame 0 left out with
        skip_first_step_vc; "encoding_std", "encoding_cov": likewise before the projector;
        "prediction_diff": error of the changes from frame to frame.
        """
        section = self.section
        first = int(section.skip_first_step_vc)
        projected = self.projector(encodings)

        def sim() -> Tensor:
            if section.repr_loss_after_projector:
                return prediction_error(self.projector(predictions), projected[1:])
            return prediction_error(predictions, encodings[1:])

        return [
            Term("sim", section.sim_coeff, sim),
            Term("std", section.std_coeff, lambda: variance_hinge(projected[first:])),
            Term("cov", section.cov_coeff, lambda: covariance(projected[first:])),
            Term(
                "encoding_std",
                section.encoding_std_coeff,
                lambda: variance_hinge(encodings[first:]),
            ),
            Term(
                "encoding_cov",
                section.encoding_cov_coeff,
                lambda: covariance(encodings[first:]),
            ),
            Term(
                "prediction_diff",
                section.prediction_diff_coeff,
                lambda: difference_error(predictions, encodings[1:]),
            ),
            *super().terms(batch, encodings, predictions),
        ]
