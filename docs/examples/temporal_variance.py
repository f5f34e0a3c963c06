"""VICReg that also forbids embeddings that are constant over time (paper, conclusion)."""

from __future__ import annotations

from slow_features.config.fields import Coefficient, setting
from slow_features.config.sections import VICRegSection
from slow_features.losses.vicreg import variance_hinge
from slow_features.models.jepa import Step, Term
from slow_features.models.vicreg import VICReg


class TemporalVarianceSection(VICRegSection):
    """The settings of VICReg and one more."""

    time_std_coeff: Coefficient = setting(
        25.0, "weight of the variance hinge over the frames of a sequence (ours)"
    )


class TemporalVariance(VICReg):
    """VICReg's terms, and "time_std": a hinge on the variance over time."""

    section: TemporalVarianceSection

    def terms(self, step: Step) -> list[Term]:
        """Return VICReg's terms and "time_std".

        step.encodings: [T, B, D]. `variance_hinge` takes the variance over its second axis, for
        VICReg the batch: turned to [B, T, D], it is the mean over sequences and features of
        relu(1 - sqrt(var + 1e-4)), with the variance over the T frames of one sequence.
        """
        return [
            *super().terms(step),
            Term(
                "time_std",
                self.section.time_std_coeff,
                lambda: variance_hinge(step.encodings.transpose(0, 1)),
            ),
        ]
