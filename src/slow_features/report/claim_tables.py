"""Tables of verdicts: the claims, what each was measured by, every measurement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from slow_features.grid.definition import PUBLISHED
from slow_features.report.claims import CheckVerdict, ClaimVerdict, PartVerdict
from slow_features.report.criteria import CENTRE, START, TRAINED, Check, ClaimPart, Criterion, Rules
from slow_features.report.measurements import Outcome
from slow_features.report.names import family_name, listed, variant_name
from slow_features.report.tables import NOT_RUN, NotRun, Table

_NAMES_SHOWN = 2  # missing cells that are named; the rest are counted

# What a verdict about a check or a part is called: of one, and of several.
_HOLDS: dict[Outcome, tuple[str, str]] = {
    "reproduced": ("holds", "hold"),
    "not reproduced": ("does not hold", "do not hold"),
    "cannot tell": ("cannot tell", "cannot tell"),
    "not run": (NOT_RUN, NOT_RUN),
}


def claims_table(name: str, verdicts: Sequence[ClaimVerdict], texts: Mapping[str, str]) -> Table:
    """Return claims with the verdict about each. texts: of each claim by its id."""
    return Table(
        name,
        "Verdicts",
        "A claim is reproduced if every part of it holds, and not reproduced if one part does not, "
        "whatever the others say. It holds so far if all parts hold that have run, and is "
        "undecided if a part cannot tell, because what it compares with has not been learned "
        f"either.{_budgets_in_words(verdicts)}",
        ("claim", "verdict", "parts", "id"),
        [_claim_row(verdict, texts[verdict.claim.id]) for verdict in verdicts],
    )


def _claim_row(verdict: ClaimVerdict, text: str) -> tuple[str, ...]:
    counts = count_parts([verdict])
    row = (text, claim_in_words(verdict), parts_in_words(counts), verdict.claim.id)
    return NotRun(row) if counts.keys() == {"not run"} else row


def claim_in_words(verdict: ClaimVerdict) -> str:
    """Return the verdict about a claim, with how much of it was judged where that is a part."""
    counts = count_parts([verdict])
    if verdict.verdict != "not run" or counts.keys() == {"not run"}:
        return verdict.verdict
    if counts["cannot tell"]:
        return "undecided at this scale"
    return f"holds so far ({counts['reproduced']} of {counts.total()} parts)"


def count_parts(verdicts: Sequence[ClaimVerdict]) -> Counter[Outcome]:
    """Return how many parts of claims have each verdict."""
    return Counter(part.verdict for verdict in verdicts for part in verdict.parts)


def parts_in_words(counts: Mapping[Outcome, int]) -> str:
    """Return how many parts of claims hold, do not hold, cannot tell and are not run."""
    found = [(counts.get(kind, 0), words) for kind, words in _HOLDS.items()]
    return ", ".join(f"{count} {words[count != 1]}" for count, words in found if count)


def parts_found(verdicts: Sequence[ClaimVerdict]) -> list[tuple[str, int]]:
    """Return for each verdict that a part can have, but that it is not run, how many have it."""
    counts = count_parts(verdicts)
    kinds = [kind for kind in _HOLDS if kind != "not run"]
    return [(_HOLDS[kind][counts[kind] != 1], counts[kind]) for kind in kinds]


def judged_in_words(verdicts: Sequence[ClaimVerdict]) -> str:
    """Return how much of the claims the scale can judge, in a sentence."""
    parts = sum(len(verdict.parts) for verdict in verdicts)
    judged = sum(count for _, count in parts_found(verdicts))
    whole = sum(verdict.verdict == "reproduced" for verdict in verdicts)
    return (
        f"The paper's {len(verdicts)} claims have {parts} parts; this scale judges {judged} of "
        f"them, and {whole or 'no'} "
        f"{'claims are' if whole > 1 else 'claim is'} reproduced as a whole."
    )


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
        f"{model} {listed((f'{ours} of {theirs}' for ours, theirs in sorted(numbers)), 'or')}"
        for model, numbers in epochs.items()
    ]
    return (
        f" This scale shortens the training; epochs, of those published: {', '.join(models)}. A "
        "claim that is not reproduced here may be one that was not trained long enough."
    )


def checks_table(
    name: str, verdicts: Sequence[ClaimVerdict], texts: Mapping[str, str], rules: Rules
) -> Table:
    """Return every check of every claim with the measurements that decide it, one a row."""
    return Table(
        name,
        "What each claim was measured by",
        "Errors are RMSE in px, means over the seeds; of several levels the one that decides is "
        "shown.",
        ("claim", "part", "criterion", "model", "alpha", "measured", "bound", "holds"),
        [
            row
            for verdict, part, check in _walk(verdicts)
            for row in _check_rows(texts[verdict.claim.id], part, check, rules)
        ],
        merged=2,
    )


def _check_rows(
    claim: str, part: PartVerdict, check: CheckVerdict, rules: Rules
) -> Iterator[tuple[str | None, ...]]:
    start = (claim, part.part.name, check_in_words(check.check, part.part, rules))
    if check.missing:
        named = ", ".join(check.missing[:_NAMES_SHOWN])
        rest = len(check.missing) - _NAMES_SHOWN
        missing = f"missing: {named}" + (f" and {rest} more" if rest > 0 else "")
        yield NotRun((*start, ", ".join(check.check.models), None, missing, None, NOT_RUN))
    for m in check.decisive:
        verdict = _HOLDS[m.verdict][0] + (f": {m.unmet}" if m.unmet else "")
        yield (*start, m.model, m.alpha, m.value, m.bound or None, verdict)


def check_in_words(check: Check, part: ClaimPart, rules: Rules) -> str:
    """Return what a check asks, in words."""
    who = variant_name(check.variant) if check.variant != PUBLISHED else ""
    where = " on ".join(filter(None, (who, check.dot and f"the {check.dot} dot")))
    scope = ", at one level at least" if part.holds == "some_level" else ""
    sentence = f"{_sentence(check, rules)}{scope}{_need_in_words(check, rules)}"
    return f"{where}: {sentence}" if where else sentence


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
    who += f" ({variant_name(need.variant)})" if need.variant != check.variant else ""
    said = "where it holds, it is left out" if check.needs.leave_out else "cannot tell"
    return f"; {said} unless {who}: {_sentence(need, rules)}"


def _reference_words(criterion: Criterion, check: Check) -> str:
    if criterion.of == START:
        return "that of knowing where the dot was at first, and nothing of its moves"
    if criterion.of == CENTRE:
        return "the centre's error"
    if criterion.of != "same_model":
        return f"the error of {criterion.of}"
    against = check.against
    where = [against.family and family_name(against.family) + " noise"]
    where += [against.alpha and f"alpha {against.alpha}"]
    if against.variant:
        own = against.variant == PUBLISHED
        name = variant_name(against.variant)
        where += [f"the level's own {name} hyper-parameters" if own else name]
    return f"its error at {', '.join(w for w in where if w)}"


def measurements_table(name: str, verdicts: Sequence[ClaimVerdict]) -> Table:
    """Return every measurement behind the verdicts, one a row."""
    rows = [
        (NotRun if m.verdict == "not run" else tuple)(
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
        name,
        "Every measurement behind the verdicts",
        "One row for each criterion, model and level. Cells: the folders of those that were "
        "measured, one for each seed; a dash: this scale has none there.",
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


def _walk(
    verdicts: Sequence[ClaimVerdict],
) -> Iterator[tuple[ClaimVerdict, PartVerdict, CheckVerdict]]:
    for verdict in verdicts:
        for part in verdict.parts:
            for check in part.checks:
                yield verdict, part, check
