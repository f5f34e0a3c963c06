"""What a scale has found, first of all: one sentence, and the table of methods and noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from slow_features.grid.cells import THREE_DOTS
from slow_features.grid.definition import PUBLISHED
from slow_features.models.registry import MODELS
from slow_features.report.criteria import Criterion
from slow_features.report.names import (
    family_name,
    is_remedy,
    listed,
    searched_in_words,
    setting_name,
    variant_name,
    variants,
)
from slow_features.report.remedies import finds_the_dot
from slow_features.report.results import CellResult, Results, mean_error
from slow_features.report.style import methods
from slow_features.report.tables import NOT_RUN, NotRun, Table, Value

Column = tuple[str, str, str]  # family, alpha, variant


def headline_families(results: Results) -> dict[str, str]:
    """Return the families of one dot and the level of each that the headline is about."""
    return {
        family: results.reference_level(family)
        for family in results.families
        if family != THREE_DOTS
    }


def headline_in_words(results: Results, found: Criterion) -> str:
    """Return which trained methods find the dot under which noise, in a sentence."""
    said: dict[str, list[str]] = {}
    for family, alpha in headline_families(results).items():
        words = _who_finds(results, family, alpha, found)
        if words:
            said.setdefault(words, []).append(setting_name(family, alpha))
    if not said:
        return "Nothing of this scale has run yet."
    sentence = "; ".join(f"with {listed(where)}, {words}" for words, where in said.items())
    return f"{sentence[0].upper()}{sentence[1:]}."


def _who_finds(results: Results, family: str, alpha: str, found: Criterion) -> str:
    """Return who finds the dot in a setting and who does not; nothing if nobody has finished."""
    finds: dict[tuple[str, str], bool] = {}
    for variant in variants(results):
        for name, entry in MODELS.items():
            cells = results.of(family, alpha, name, variant)
            if entry.trains and mean_error(cells) is not None and not is_remedy(cells[0].cell):
                finds[name, variant] = finds_the_dot(cells, found)
    good = [name for (name, variant), held in finds.items() if held and variant == PUBLISHED]
    bad = [name for (name, variant), held in finds.items() if not held and variant == PUBLISHED]
    words = f"{listed(good)} {'find' if len(good) > 1 else 'finds'} the dot" if good else ""
    if bad:
        do = "do" if len(bad) > 1 else "does"
        words += f" and {listed(bad)} {do} not" if good else f"{listed(bad)} {do} not find the dot"
    return words + _nor_as(bad, finds, variants(results)[1:])


def _nor_as(
    bad: Sequence[str], finds: Mapping[tuple[str, str], bool], others: Sequence[str]
) -> str:
    """Return as which other variants, too, those that do not find the dot have missed it."""
    neither: dict[str, list[str]] = {}
    for variant in others:
        names = [name for name in bad if finds.get((name, variant)) is False]
        who = "" if names == bad else f"{listed(names)} "
        if names:
            neither.setdefault(who, []).append(f"“{variant_name(variant)}”")
    nor = [f"{who}as {' or '.join(found)}" for who, found in neither.items()]
    return f" (nor {', nor '.join(nor)})" if nor else ""


def headline_table(
    results: Results,
    found: Criterion,
    show: Callable[[Sequence[CellResult], float], Value] = lambda cells, error: error,
) -> Table:
    """Return every method's error under one level of each noise family, remedies left out.

    A method that the scale does not have is left out, and a setting of which nothing has run,
    unless nothing at all has. show: what stands for the mean error of
    some cells.
    """
    columns = _columns(results.finished, results) or _columns(results.cells, results)
    titles = [_title(column) for column in columns]
    there = {result.cell.model_type for result in results.cells}
    rows = [_row(results, name, columns, show) for name in methods() if name in there]
    shown = [result for result in results.cells if _column(result) in columns]
    return Table(
        "headline",
        "Error of every method, RMSE in px",
        "Means over the seeds, on sequences that neither model nor probe has seen. To find the dot "
        f"is to have an error of {found.sentence('that of always answering the centre')}. A dash: "
        f"there is no such cell.{searched_in_words(shown)}",
        ("method", *titles),
        [
            *rows,
            _baseline("start known, moves not", results, columns, CellResult.start_px),
            _baseline("always the centre", results, columns, CellResult.centre_px),
        ],
        dict.fromkeys(titles, 2),
    )


def _columns(cells: Sequence[CellResult], results: Results) -> list[Column]:
    """Return family, level and variant of the settings that some cells have, in a fixed order."""
    there = {_column(result) for result in cells if not is_remedy(result.cell)}
    return [
        (family, alpha, variant)
        for family, alpha in headline_families(results).items()
        for variant in variants(results)
        if (family, alpha, variant) in there
    ]


def _column(result: CellResult) -> Column:
    return result.cell.family, result.cell.alpha, result.cell.variant


def _title(column: Column) -> str:
    family, alpha, variant = column
    name = f"{family_name(family)} {alpha}"
    return name if variant == PUBLISHED else f"{name}, {variant_name(variant)}"


def _row(
    results: Results,
    name: str,
    columns: list[Column],
    show: Callable[[Sequence[CellResult], float], Value],
) -> tuple[Value, ...]:
    cells = [results.of(family, alpha, name, variant) for family, alpha, variant in columns]
    errors = [mean_error(there) for there in cells]
    shown = [
        (NOT_RUN if there else None) if error is None else show(there, error)
        for there, error in zip(cells, errors, strict=True)
    ]
    row = (methods()[name].label, *shown)
    return NotRun(row) if all(error is None for error in errors) else row


def _baseline(
    name: str, results: Results, columns: list[Column], error: Callable[[CellResult], float]
) -> tuple[Value, ...]:
    errors = []
    for column in columns:
        there = [error(result) for result in results.finished if _column(result) == column]
        errors.append(fmean(there) if there else None)
    row = (name, *errors)
    return row if any(error is not None for error in errors) else NotRun(row)
