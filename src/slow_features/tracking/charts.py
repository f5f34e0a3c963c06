"""Which of MLflow's charts a number gets: the metric "section/name" stands in that section.

MLflow orders sections, and the charts inside each, by the alphabet, and puts what has no section
below all of them. So the error leads, alone with that of each dot, and the losses follow.
"""

from __future__ import annotations

HEADLINE = "error/rmse_px"  # the first chart of every comparison
SYSTEM = "system/"  # MLflow's own section, a page of its own for a single run
_SECTIONS = {
    "error": ("rmse_px", "rmse_px_action", "rmse_px_random", "rmse_px_stationary"),
    "probe": ("rmse_unit", "enc_rmse_px", "centre_rmse_px", "rmse_by_step_px"),
    "run": ("epoch", "sequences_per_second"),
    "states": ("spread", "collapsed", "rank", "noise_share", "dot_share"),
}
_SECTION_OF = {name: section for section, names in _SECTIONS.items() for name in names}


def metric_name(name: str) -> str:
    """Return what MLflow calls a final value; one that no section names keeps its name."""
    return f"{_SECTION_OF[name]}/{name}" if name in _SECTION_OF else name


def curve_name(name: str) -> str:
    """Return what MLflow calls a column of the loss curve: the loss or one of its terms."""
    known = name in _SECTION_OF or name.startswith(SYSTEM)
    return metric_name(name) if known else f"loss/{name}"
