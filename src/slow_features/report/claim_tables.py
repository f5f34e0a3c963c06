"""Tables of verdicts: the claims, what each was measured by, every measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slow_features.report.claims import (
    CheckVerdict,
    ClaimVerdict,
    Measurement,
    PartVerdict,
    check_in_words,
)
from slow_features.report.criteria import Rules
from slow_features.report.tables import Table

_NAMES_SHOWN = 2  # missing cells that are named; the rest are counted

_HOLDS = {"reproduced": "holds", "not reproduced": "does not hold", "not run": "not run"}


def claims_table(verdicts: Sequence[ClaimVerdict], published: Mapping[str, Any]) -> Table:
    """Return the claims of the paper with the verdict about each."""
    texts = {claim["id"]: claim["text"] for claim in published["claims"]}
    rows = [
        (texts[verdict.claim.id], verdict.verdict, _count(verdict.parts), verdict.claim.id)
        for verdict in verdicts
    ]
    return Table(
        "claims",
        "The paper's claims",
        "A claim is reproduced if every part of it is; while a cell that it needs is missing, it "
        "is not run, whatever its other parts say.",
        ("claim of the paper", "verdict", "parts", "id"),
        rows,
    )


def _count(parts: Sequence[PartVerdict]) -> str:
    kinds = ("reproduced", "not reproduced", "not run")
    counts = {kind: sum(part.verdict == kind for part in parts) for kind in kinds}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


def checks_table(verdicts: Sequence[ClaimVerdict], rules: Rules) -> Table:
    """Return every check of every claim with the measurements that decide it."""
    rows = [
        (
            f"{verdict.claim.id}: {part.part.name}",
            check_in_words(check.check, part.part, rules),
            _decisive(check),
            _HOLDS[check.verdict],
        )
        for verdict, part, check in _walk(verdicts)
    ]
    return Table(
        "claim_checks",
        "What each claim was measured by",
        "Criteria were fixed before the runs, in src/slow_features/report/claims.yaml, with the "
        "reason of every number. Errors are RMSE in px, means over the seeds; of several levels "
        "the one that decides is shown. Variants: control, untuned - see below.",
        ("claim: part", "criterion", "measured", "holds"),
        rows,
    )


def measurements_table(verdicts: Sequence[ClaimVerdict]) -> Table:
    """Return every measurement behind the verdicts, one a row."""
    rows = [
        (
            f"{verdict.claim.id}: {part.part.name}",
            check.check.criterion,
            m.model,
            check.check.variant,
            check.check.dot,
            m.alpha,
            "not run" if m.missing else m.text,
            None if m.missing else "yes" if m.margin >= 0 else "no",
        )
        for verdict, part, check in _walk(verdicts)
        for m in check.measurements
    ]
    return Table(
        "claim_measurements",
        "Every measurement behind the verdicts",
        "One row for each criterion, model and level.",
        ("claim: part", "criterion", "model", "variant", "dot", "alpha", "measured", "holds"),
        rows,
    )


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
