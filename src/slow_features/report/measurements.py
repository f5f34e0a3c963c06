"""What a check of a claim measures: one model at one level of noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from slow_features.grid.cells import Cell
from slow_features.grid.definition import PUBLISHED
from slow_features.report.criteria import (
    CENTRE,
    START,
    TRAINED,
    Check,
    ClaimPart,
    Criterion,
    Rules,
    Trained,
)
from slow_features.report.results import CellResult, Results

Outcome = Literal["reproduced", "not reproduced", "cannot tell", "not run"]
Place = tuple[str, str, str, str]  # family, alpha, model type, variant


@dataclass(frozen=True)
class Measurement:
    """One check of one model at one level.

    value: what was measured. bound: what it was compared with, in words. margin: how far it is on
    the right side of the bound, 0 at the bound, negative beyond. unit: what the margin is compared
    with to tell which of two is closer, the bound itself. cells: those of the model.
    missing: the cells without which there is none of it. unmet: why the check says nothing here.
    """

    model: str
    alpha: str
    value: str = ""
    bound: str = ""
    margin: float = 0.0
    unit: float = 1.0
    cells: tuple[Cell, ...] = ()
    missing: tuple[str, ...] = ()
    unmet: str = ""

    @property
    def verdict(self) -> Outcome:
        """The verdict at this level alone."""
        if self.missing:
            return "not run"
        if self.unmet:
            return "cannot tell"
        return "reproduced" if self.margin >= 0 else "not reproduced"

    @property
    def closeness(self) -> float:
        """How far it is from its bound, on either side, as a share of the bound."""
        return abs(self.margin) / (self.unit or 1.0)

    @property
    def text(self) -> str:
        """What was measured and its bound, with the reason where that says nothing."""
        measured = f"{self.value} ({self.bound})" if self.bound else self.value
        return f"{measured}, cannot tell: {self.unmet}" if self.unmet else measured


def measure_part(
    results: Results, rules: Rules, part: ClaimPart, check: Check
) -> tuple[Measurement, ...]:
    """Measure one check of a part for all of its models, at every level that the part judges."""
    return tuple(
        _measure(results, rules, check, (part.family, alpha, model, check.variant))
        for model in check.models
        for alpha in _levels(results, rules, part, check, model)
    )


def _levels(results: Results, rules: Rules, part: ClaimPart, check: Check, model: str) -> list[str]:
    """Return the levels that a part lists, and those of the scale in its range.

    Of the latter only those for which the scale has what the check compares with.
    """
    listed = {float(alpha) for alpha in part.levels}
    more = [
        alpha
        for alpha in results.levels(part.family, model, check.variant)
        if part.within
        and part.within.holds(alpha)
        and float(alpha) not in listed
        and all(
            results.of(*place)
            for place in _places(rules, check, (part.family, alpha, model, check.variant))
        )
    ]
    return sorted([*part.levels, *more], key=float)


def _measure(results: Results, rules: Rules, check: Check, place: Place) -> Measurement:
    """Measure one check at one place, or say why it cannot tell anything there."""
    family, alpha, model, _ = place
    measured = _measure_alone(results, rules, check, place)
    needed = {
        other: _measure_alone(
            results, rules, other, (family, alpha, other.models[0], other.variant)
        )
        for other in check.of_need(model)
    }
    missing = dict.fromkeys(cell for m in (measured, *needed.values()) for cell in m.missing)
    if missing:
        return Measurement(model, alpha, cells=measured.cells, missing=tuple(missing))
    if measured.margin < 0 and check.needs and check.needs.leave_out:
        return measured  # an unmet need takes support from a claim, and excuses no contradiction
    unmet = [_unmet(check, other, m) for other, m in needed.items() if m.margin < 0]
    return replace(measured, unmet=", ".join(unmet))


def _unmet(check: Check, other: Check, measured: Measurement) -> str:
    variant = f" {other.variant}" if other.variant != check.variant else ""
    return f"{measured.model}{variant} ({measured.value}) {check.needs.otherwise}"


def _measure_alone(results: Results, rules: Rules, check: Check, place: Place) -> Measurement:
    """Measure one check at one place; without all of its cells, say which are missing."""
    _, alpha, model, _ = place
    places = _places(rules, check, place)
    cells, *others = [results.of(*where) for where in places]
    start = Measurement(model, alpha, cells=tuple(result.cell for result in cells))
    missing = [name for where in places for name in _missing(results, where)]
    if missing:
        return replace(start, missing=tuple(missing))
    if check.criterion == TRAINED:
        value, margin = _compare_training(cells, rules.trained)
        return replace(start, value=value, margin=margin)
    criterion = rules.criteria[check.criterion]
    if criterion.share:
        return _compare_share(start, cells, criterion)
    if others:
        reference = fmean(cell.error_px(check.dot) for cell in others[0])
    elif criterion.of == START:
        reference = fmean(cell.start_px(check.dot) for cell in cells)
    else:
        reference = fmean(cell.centre_px(check.dot) for cell in cells)
    error, bound = fmean(cell.error_px(check.dot) for cell in cells), criterion.bound(reference)
    return replace(
        start,
        value=f"{error:.2f} px",
        bound=f"{criterion.kind} {bound:.2f}",
        margin=criterion.margin(error, bound),
        unit=bound,
    )


def _compare_share(
    start: Measurement, cells: Sequence[CellResult], criterion: Criterion
) -> Measurement:
    share, bound = fmean(cell.share(criterion.share) for cell in cells), criterion.bound(1.0)
    return replace(
        start,
        value=f"{share:.3f} of the variance",
        bound=f"{criterion.kind} {bound:g}",
        margin=criterion.margin(share, bound),
        unit=bound,
    )


def _places(rules: Rules, check: Check, place: Place) -> list[Place]:
    """Return the place that is measured and, if there is one, that it is compared with."""
    if check.criterion == TRAINED:
        return [place]
    other = _reference_place(rules.criteria[check.criterion], check, place)
    return [place, other] if other else [place]


def _reference_place(criterion: Criterion, check: Check, place: Place) -> Place | None:
    """Return family, alpha, model and variant of the reference; None for a baseline or a share."""
    family, alpha, model, variant = place
    if criterion.of in (None, CENTRE, START):
        return None
    if criterion.of != "same_model":
        return family, alpha, criterion.of, PUBLISHED
    against = check.against
    return against.family or family, against.alpha or alpha, model, against.variant or variant


def _missing(results: Results, place: Place) -> list[str]:
    """Return the cells of a place that are not there, or the place if the scale has none."""
    cells = results.of(*place)
    if not cells:
        family, alpha, model, variant = place
        return [f"{family}/{model}/alpha{alpha}-{variant} (not in this scale)"]
    return [
        str(cell.cell.path.relative_to(results.scale)) for cell in cells if cell.outputs is None
    ]


def _compare_training(cells: Sequence[CellResult], trained: Trained) -> tuple[str, float]:
    """Return in words how the seed that trained least has trained, and its margin."""
    fell, moved = min((training_facts(cell) for cell in cells), key=trained.margin)
    return f"loss fell by {fell:.0%}, encoder moved by {moved:.3f}", trained.margin((fell, moved))


def training_facts(cell: CellResult) -> tuple[float, float]:
    """Return by what share of its first value the loss fell, and how far the encoder moved.

    Zeros where nothing is trained. The first and last row of the curve are compared.
    """
    outputs = cell.finished
    if not outputs.curve:
        return 0.0, 0.0
    first, last = outputs.curve[0]["loss"], outputs.curve[-1]["loss"]
    moved = outputs.summary.weights_moved.get("encoder", 0.0)
    return (first - last) / max(abs(first), 1e-12), moved


def has_trained(cell: CellResult, trained: Trained) -> bool:
    """Return whether the loss fell and the encoder moved far enough."""
    return trained.margin(training_facts(cell)) >= 0
