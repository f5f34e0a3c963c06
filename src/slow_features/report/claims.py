"""Verdicts: each claim of the paper against the cells that were run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from slow_features.report.criteria import Check, Claim, ClaimPart, Rules
from slow_features.report.measurements import Measurement, Outcome, measure_part
from slow_features.report.results import Results

Verdict = Literal["reproduced", "not reproduced", "not run"]  # about a claim

# From the worst to the best; a check that cannot tell is neither.
_RANK = {"not reproduced": 0, "cannot tell": 1, "reproduced": 2}


@dataclass(frozen=True)
class CheckVerdict:
    """The verdict about one check, with every measurement behind it.

    decisive: for each model the measurement that decides: the one closest to failing, or, where
    one level is enough, the one closest to holding. None while a cell is missing.
    """

    check: Check
    verdict: Outcome
    measurements: tuple[Measurement, ...]
    decisive: tuple[Measurement, ...]

    @property
    def missing(self) -> list[str]:
        """Cells that the check needs and that are not there, each once."""
        return list(dict.fromkeys(cell for m in self.measurements for cell in m.missing))

    @property
    def left_out(self) -> bool:
        """Whether the part is judged without this check, because what it needs is not met."""
        needs = self.check.needs
        return self.verdict == "cannot tell" and needs is not None and needs.leave_out


@dataclass(frozen=True)
class PartVerdict:
    """The verdict about a part of a claim: reproduced if all checks hold that are not left out."""

    part: ClaimPart
    verdict: Outcome
    checks: tuple[CheckVerdict, ...]


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict about a claim.

    Not reproduced if one part is not, whatever the others say; reproduced if all parts are;
    otherwise not run: a cell is missing, or a part cannot tell.
    """

    claim: Claim
    verdict: Verdict
    parts: tuple[PartVerdict, ...]


def judge(
    results: Results, rules: Rules, claims: Sequence[Claim] | None = None
) -> list[ClaimVerdict]:
    """Return the verdict about every claim of the paper, or about `claims`, in their order."""
    verdicts = []
    for claim in rules.claims if claims is None else claims:
        parts = tuple(_judge_part(results, rules, part) for part in claim.parts)
        verdicts.append(claim_of_parts(claim, parts))
    return verdicts


def claim_of_parts(claim: Claim, parts: tuple[PartVerdict, ...]) -> ClaimVerdict:
    """Return the verdict about a claim, from those about its parts."""
    verdict = together([part.verdict for part in parts])
    return ClaimVerdict(claim, "not run" if verdict == "cannot tell" else verdict, parts)


def together(verdicts: Sequence[Outcome]) -> Outcome:
    """Return the verdict about "all of them hold": one that does not is enough to know."""
    for kind in ("not reproduced", "not run", "cannot tell"):
        if kind in verdicts:
            return kind
    return "reproduced"


def _judge_part(results: Results, rules: Rules, part: ClaimPart) -> PartVerdict:
    checks = tuple(_judge_check(results, rules, part, check) for check in part.checks)
    decide = [check.verdict for check in checks if not check.left_out]
    return PartVerdict(part, together(decide), checks)


def _judge_check(results: Results, rules: Rules, part: ClaimPart, check: Check) -> CheckVerdict:
    """Judge one check; while a cell of it is missing it is not run, at whatever level."""
    measured = measure_part(results, rules, part, check)
    if any(m.missing for m in measured):
        return CheckVerdict(check, "not run", measured, ())
    decides = max if part.holds == "some_level" else min
    decisive = tuple(
        decides((m for m in measured if m.model == model), key=_from_worst_to_best)
        for model in check.models
    )
    return CheckVerdict(check, together([m.verdict for m in decisive]), measured, decisive)


def _from_worst_to_best(measurement: Measurement) -> tuple[int, float]:
    return _RANK[measurement.verdict], measurement.margin
