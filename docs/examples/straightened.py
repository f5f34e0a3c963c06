"""VICReg that also asks for straight paths of the embeddings (Hénaff et al. 2019)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from slow_features.config.fields import Coefficient, setting
from slow_features.config.sections import VICRegSection
from slow_features.models.jepa import Step, Term
from slow_features.models.vicreg import VICReg


class StraightenedSection(VICRegSection):
    """The settings of VICReg and one more."""

    straight_coeff: Coefficient = setting(
        1.0, "weight of the curvature of the embeddings' paths in time (ours)"
    )


class Straightened(VICReg):
    """VICReg's terms, and "straight": how much the embeddings' paths bend."""

    section: StraightenedSection

    def terms(self, step: Step) -> list[Term]:
        """Return VICReg's terms and "straight"."""
        return [
            *super().terms(step),
            Term("straight", self.section.straight_coeff, lambda: curvature(step.encodings)),
        ]


def curvature(encodings: Tensor) -> Tensor:
    """Return the mean over times and sequences of 1 - cos(v_t, v_(t + 1)): [T, B, D] -> scalar.

    v_t is the change from one encoding to the next, so 0 is a straight path and 2 one that turns
    back at every frame.
    """
    changes = encodings[1:] - encodings[:-1]
    return (1 - F.cosine_similarity(changes[1:], changes[:-1], dim=2)).mean()
