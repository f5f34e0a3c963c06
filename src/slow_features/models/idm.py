"""IDM, inverse dynamics: embeddings from which the action between two frames can be read."""

from __future__ import annotations

from slow_features.config.sections import IDMSection
from slow_features.models.jepa import JepaModel


class IDM(JepaModel):
    """The action predictor's error alone trains encoder and predictor (paper, section 3).

    It has no term of its own: what is left is "action", which all joint-embedding models can
    have, and whose coefficient is never 0 here.
    """

    section: IDMSection
