"""Verdicts: each claim of the paper against the cells that were run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from slow_features.report.criteria import (
    TRAINED,
    Check,
    Claim,
    ClaimPart,
    Criterion,
    Rules,
    Trained,
)
from slow_features.report.results import CellResult, Results

Verdict = Literal["reproduced", "not reproduced", "not run"]
Place = tuple[str, str, str, str]  # family, alpha, model type, variant


@dataclass(frozen=True)
class Measurement:
    """One check of one model at one level.

    text: what was measured and its bound. margin: how far it is on the right side of the bound,
    0 at the bound, negative beyond. missing: the cells without which there is neither.
    """

    model: str
    alpha: str
    text: str
    margin: float
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckVerdict:
    """The verdict about one check, with every measurement behind it.

    decisive: for each model the measurement that decides: the one closest to failing, or, where
    one level is enough, the one closest to holding.
    """

    check: Check
    verdict: Verdict
    measurements: tuple[Measurement, ...]
    decisive: tuple[Measurement, ...]

    @property
    def missing(self) -> list[str]:
        """Cells that the check needs and that are not there, each once."""
        return list(dict.fromkeys(cell for m in self.measurements for cell in m.missing))


@dataclass(frozen=True)
class PartVerdict:
    """The verdict about a part of a claim: reproduced if all of its checks hold."""

    part: ClaimPart
    verdict: Verdict
    checks: tuple[CheckVerdict, ...]


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict about a claim: reproduced if all of its parts are."""

    claim: Claim
    verdict: Verdict
    parts: tuple[PartVerdict, ...]


def judge(results: Results, rules: Rules) -> list[ClaimVerdict]:
    """Return the verdict about every claim, in the order of claims.yaml."""
    verdicts = []
    for claim in rules.claims:
        parts = tuple(_judge_part(results, rules, part) for part in claim.parts)
        verdicts.append(ClaimVerdict(claim, _together([part.verdict for part in parts]), parts))
    return verdicts


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict about a whole from those about its parts; one not run, none at all."""
    if "not run" in verdicts:
        return "not run"
    return "not reproduced" if "not reproduced" in verdicts else "reproduced"


def _judge_part(results: Results, rules: Rules, part: ClaimPart) -> PartVerdict:
    checks = tuple(_judge_check(results, rules, part, check) for check in part.checks)
    return PartVerdict(part, _together([check.verdict for check in checks]), checks)


def _judge_check(results: Results, rules: Rules, part: ClaimPart, check: Check) -> CheckVerdict:
    measured = tuple(
        _measure(results, rules, check, (part.family, alpha, model, check.variant))
        for model in check.models
        for alpha in _levels(results, part, check, model)
    )
    if any(m.missing for m in measured):
        return CheckVerdict(check, "not run", measured, ())
    decides = max if part.holds == "some_level" else min
    decisive = tuple(
        decides((m for m in measured if m.model == model), key=lambda m: m.margin)
        for model in check.models
    )
    held = all(m.margin >= 0 for m in decisive)
    return CheckVerdict(check, "reproduced" if held else "not reproduced", measured, decisive)


def _levels(results: Results, part: ClaimPart, check: Check, model: str) -> list[str]:
    """Return the levels that a part lists, and those that the scale has between them."""
    low, high = float(part.levels[0]), float(part.levels[-1])
    listed = {float(alpha) for alpha in part.levels}
    between = [
        alpha
        for alpha in results.levels(part.family, model, check.variant)
        if low < float(alpha) < high and float(alpha) not in listed
    ]
    return sorted([*part.levels, *between], key=float)


def _measure(results: Results, rules: Rules, check: Check, place: Place) -> Measurement:
    """Measure one check at one place; without all of its cells, say which are missing."""
    criterion = None if check.criterion == TRAINED else rules.criteria[check.criterion]
    other = _reference_place(criterion, check, place) if criterion else None
    places = [place, other] if other else [place]
    missing = tuple(name for where in places for name in _missing(results, where))
    _, alpha, model, _ = place
    if missing:
        return Measurement(model, alpha, "", 0.0, missing)
    cells = results.of(*place)
    if criterion is None:
        return Measurement(model, alpha, *_compare_training(cells, rules.trained))
    if other:
        reference = fmean(cell.error_px(check.dot) for cell in results.of(*other))
    else:
        reference = fmean(cell.centre_px(check.dot) for cell in cells)
    error = fmean(cell.error_px(check.dot) for cell in cells)
    bound = criterion.bound(reference)
    text = f"{error:.2f} px ({criterion.kind} {bound:.2f})"
    return Measurement(model, alpha, text, criterion.margin(error, bound))


def _reference_place(criterion: Criterion, check: Check, place: Place) -> Place | None:
    """Return family, alpha, model and variant of the reference; None for the centre."""
    family, alpha, model, variant = place
    if criterion.of == "centre":
        return None
    if criterion.of != "same_model":
        return family, alpha, criterion.of, "published"
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
    moved = outputs.summary["weights_moved"].get("encoder", 0.0)
    return (first - last) / max(abs(first), 1e-12), moved


def has_trained(cell: CellResult, trained: Trained) -> bool:
    """Return whether the loss fell and the encoder moved far enough."""
    return trained.margin(training_facts(cell)) >= 0


def check_in_words(check: Check, part: ClaimPart, rules: Rules) -> str:
    """Return what a check asks, in words."""
    who = ", ".join(check.models)
    who += f" ({check.variant})" if check.variant != "published" else ""
    what = f" on the {check.dot} dot" if check.dot else ""
    scope = ", at one level at least" if part.holds == "some_level" else ""
    if check.criterion == TRAINED:
        return f"{who}: {rules.trained.sentence()}{scope}"
    criterion = rules.criteria[check.criterion]
    return f"{who}{what}: {criterion.sentence(_reference_words(criterion, check))}{scope}"


def _reference_words(criterion: Criterion, check: Check) -> str:
    if criterion.of == "centre":
        return "the centre's error"
    if criterion.of != "same_model":
        return f"the error of {criterion.of}"
    against = check.against
    where = [against.family and against.family.replace("_", " ") + " noise"]
    where += [against.alpha and f"alpha {against.alpha}"]
    where += [against.variant and f"the level's own {against.variant} hyper-parameters"]
    return f"its error at {', '.join(w for w in where if w)}"
