"""Tables of verdicts: the claims, what each was measured by, every measurement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slow_features.report.claims import CheckVerdict, ClaimVerdict, PartVerdict
from slow_features.report.criteria import TRAINED, Check, ClaimPart, Criterion, Rules
from slow_features.report.measurements import Measurement, Outcome
from slow_features.report.tables import NOT_RUN, NotRun, Table

_NAMES_SHOWN = 2  # missing cells that are named; the rest are counted

# What a verdict about a check or a part is called: of one, and of several.
_HOLDS: dict[Outcome, tuple[str, str]] = {
    "reproduced": ("holds", "hold"),
    "not reproduced": ("does not hold", "do not hold"),
    "cannot tell": ("cannot tell", "cannot tell"),
    "not run": (NOT_RUN, NOT_RUN),
}


def claims_table(verdicts: Sequence[ClaimVerdict], published: Mapping[str, Any]) -> Table:
    """Return the claims of the paper with the verdict about each."""
    texts = {claim["id"]: claim["text"] for claim in published["claims"]}
    rows = [_claim_row(verdict, texts[verdict.claim.id]) for verdict in verdicts]
    return Table(
        "claims",
        "The paper's claims",
        "A claim is reproduced if every part of it holds, and not reproduced if one part does not, "
        "whatever the others say. Otherwise it counts as not run: a part of it lacks a cell, or "
        "cannot tell, because what it compares with has not been learned either."
        + _budgets_in_words(verdicts),
        ("claim of the paper", "verdict", "parts", "id"),
        rows,
    )


def _claim_row(verdict: ClaimVerdict, text: str) -> tuple[str, ...]:
    counts = Counter(part.verdict for part in verdict.parts)
    row = (text, verdict.verdict, parts_in_words(counts, zeros=False), verdict.claim.id)
    return NotRun(row) if counts.keys() == {"not run"} else row


def parts_in_words(counts: Mapping[Outcome, int], zeros: bool = True) -> str:
    """Return how many parts of claims hold, do not hold, cannot tell and are not run."""
    found = [(counts.get(kind, 0), words) for kind, words in _HOLDS.items()]
    return ", ".join(f"{count} {words[count != 1]}" for count, words in found if count or zeros)


def _budgets_in_words(verdicts: Sequence[ClaimVerdict]) -> str:
    """Return what shortened trainings mean for the verdicts; nothing where none is shortened."""
    epochs: dict[str, set[tuple[int, int]]] = {}
    cells = {
        cell for _, _, check in _walk(verdicts) for m in check.measurements for cell in m.cells
    }
    for cell in sorted(cells, key=lambda cell: cell.model_type):
        for change in cell.changes:
            if change.key == "epochs" and change.value < change.published:
                epochs.setdefault(cell.model_type, set()).add((change.value, change.published))
    if not epochs:
        return ""
    models = [
        f"{model} {' or '.join(f'{ours} of {theirs}' for ours, theirs in sorted(numbers))}"
        for model, numbers in epochs.items()
    ]
    return (
        f" This scale shortens the training; epochs, of those published: {', '.join(models)}. A "
        "claim that is not reproduced here may be one that was not trained long enough."
    )


def checks_table(verdicts: Sequence[ClaimVerdict], rules: Rules) -> Table:
    """Return every check of every claim with the measurements that decide it."""
    rows = [
        _row_type(check.verdict)(
            (
                f"{verdict.claim.id}: {part.part.name}",
                check_in_words(check.check, part.part, rules),
                _decisive(check),
                _HOLDS[check.verdict][0],
            )
        )
        for verdict, part, check in _walk(verdicts)
    ]
    return Table(
        "claim_checks",
        "What each claim was measured by",
        "The criteria stand in src/slow_features/report/claims.yaml with the reason of every "
        "number. They were fixed before the runs of the grid, but after a prototype and after the "
        "calibration of five of these cells (docs/calibration.md); ranges, preconditions and the "
        "upper bound of untrained features were tightened after the first run of the quick scale: "
        "no check holds more easily for it. "
        "Errors are RMSE in px, means over the seeds; of several levels the one that decides is "
        "shown. Control: fixed noise with all hyper-parameters of changing uniform noise at level "
        "1.5. Untuned: changing noise with those of level 1.5.",
        ("claim: part", "criterion", "measured", "holds"),
        rows,
    )


def check_in_words(check: Check, part: ClaimPart, rules: Rules) -> str:
    """Return what a check asks, in words."""
    who = ", ".join(check.models)
    who += f" ({check.variant})" if check.variant != "published" else ""
    what = f" on the {check.dot} dot" if check.dot else ""
    scope = ", at one level at least" if part.holds == "some_level" else ""
    return f"{who}{what}: {_sentence(check, rules)}{scope}{_need_in_words(check, rules)}"


def _sentence(check: Check, rules: Rules) -> str:
    if check.criterion == TRAINED:
        return rules.trained.sentence()
    criterion = rules.criteria[check.criterion]
    return criterion.sentence(_reference_words(criterion, check))


def _need_in_words(check: Check, rules: Rules) -> str:
    """Return the precondition of a check, in words; nothing where it has none."""
    if not check.needs:
        return ""
    need = check.of_need("the model")[0]
    who = ", ".join(check.needs.models) or "the model itself"
    who += f" ({need.variant})" if need.variant != check.variant else ""
    alone = " and is left out" if check.needs.leave_out else ""
    return f"; cannot tell{alone} unless {who}: {_sentence(need, rules)}"


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


def measurements_table(verdicts: Sequence[ClaimVerdict]) -> Table:
    """Return every measurement behind the verdicts, one a row."""
    rows = [
        _row_type(m.verdict)(
            (
                f"{verdict.claim.id}: {part.part.name}",
                check.check.criterion,
                m.model,
                check.check.variant,
                check.check.dot,
                m.alpha,
                NOT_RUN if m.missing else m.text,
                _HOLDS[m.verdict][0],
                ", ".join(str(cell.path) for cell in m.cells) or None,
            )
        )
        for verdict, part, check in _walk(verdicts)
        for m in check.measurements
    ]
    return Table(
        "claim_measurements",
        "Every measurement behind the verdicts",
        "One row for each criterion, model and level. Cells: those that were measured, one for "
        "each seed, as the table of all cells names them; a dash: this scale has none there.",
        (
            "claim: part",
            "criterion",
            "model",
            "variant",
            "dot",
            "alpha",
            "measured",
            "holds",
            "cells",
        ),
        rows,
    )


def _row_type(verdict: Outcome) -> type[tuple]:
    return NotRun if verdict == "not run" else tuple


def _walk(
    verdicts: Sequence[ClaimVerdict],
) -> Iterator[tuple[ClaimVerdict, PartVerdict, CheckVerdict]]:
    for verdict in verdicts:
        for part in verdict.parts:
            for check in part.checks:
                yield verdict, part, check


def _decisive(check: CheckVerdict) -> str:
    """Return the measurements that decide a check, or the cells without which it is not run."""
    if check.missing:
        named = ", ".join(check.missing[:_NAMES_SHOWN])
        rest = len(check.missing) - _NAMES_SHOWN
        return f"missing: {named}" + (f" and {rest} more" if rest > 0 else "")
    several = len({m.alpha for m in check.measurements}) > 1
    return "; ".join(_in_words(m, several) for m in check.decisive)


def _in_words(measurement: Measurement, several: bool) -> str:
    where = f" at alpha {measurement.alpha}" if several else ""
    return f"{measurement.model}{where}: {measurement.text}"
