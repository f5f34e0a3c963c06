"""What repairs a failure: cells that are meant to, beside those that fail."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from slow_features.data.geometry import DOTS
from slow_features.grid.cells import THREE_DOTS
from slow_features.report.criteria import Criterion
from slow_features.report.names import (
    family_name,
    is_remedy,
    is_searched,
    model_name,
    setting_name,
    variant_name,
    variants,
)
from slow_features.report.results import CellResult, Results, mean_error
from slow_features.report.style import methods
from slow_features.report.tables import NOT_RUN, NotRun, Table, Value

FOUND = "found"  # the criterion in claims.yaml by which a method has found the dot


def repaired_models(results: Results) -> list[str]:
    """Return the model types with a remedy, in the registry's order."""
    there = {result.cell.model_type for result in results.cells if is_remedy(result.cell)}
    return [name for name in methods() if name in there]


def settings_of(results: Results) -> list[tuple[str, str]]:
    """Return (family, alpha) of the settings where a model with remedies has run, else of all."""
    models = repaired_models(results)
    run = [r for r in results.finished if r.cell.model_type in models]
    return list(dict.fromkeys((r.cell.family, r.cell.alpha) for r in run or results.cells))


def finds_the_dot(cells: Sequence[CellResult], found: Criterion) -> bool:
    """Return whether the cells of one setting, all finished, have found the dot."""
    bound = found.bound(fmean(cell.centre_px() for cell in cells))
    return found.margin(fmean(cell.error_px() for cell in cells), bound) >= 0


def remedies_table(results: Results, found: Criterion) -> Table:
    """Return the error of each variant of a model with remedies in every setting of the scale.

    Until a remedy has run, the rows of what it is to be compared with are left out.
    """
    settings = settings_of(results)
    columns = [name for setting in settings for name in _columns(*setting)]
    rows = [
        _row(results, model, variant, settings, found)
        for model in repaired_models(results)
        for variant in variants(results)
        if any((r.cell.model_type, r.cell.variant) == (model, variant) for r in results.cells)
    ]
    if not any(is_remedy(result.cell) for result in results.finished):
        rows = [row for row in rows if isinstance(row, NotRun)]
    return Table(
        "remedies",
        "What repairs it, and what it costs elsewhere",
        "RMSE in px, means over the seeds. A remedy has a file of its own in "
        "reproduce_configs/remedies/; the other rows are what it is to be compared with. A dash: "
        "this scale has no such cell. Finds the dot: in how many of the settings with one dot the "
        f"error is {found.sentence('that of always answering the centre')}.",
        ("method", "variant", "is", *columns, "finds the dot"),
        rows,
        dict.fromkeys(columns, 2),
        merged=1,
    )


def _columns(family: str, alpha: str) -> list[str]:
    if family == THREE_DOTS:
        return [f"three dots: {dot}" for dot in DOTS]
    return [f"{family_name(family)} {alpha}"]


def _row(
    results: Results,
    model: str,
    variant: str,
    settings: Sequence[tuple[str, str]],
    found: Criterion,
) -> Sequence[Value]:
    errors: list[Value] = []
    finds = []
    remedy = False
    for family, alpha in settings:
        cells = results.of(family, alpha, model, variant)
        remedy = remedy or any(is_remedy(cell.cell) for cell in cells)
        dots = DOTS if family == THREE_DOTS else (None,)
        nothing = NOT_RUN if cells else None
        measured = [mean_error(cells, dot) for dot in dots]
        errors += [nothing if error is None else error for error in measured]
        if family != THREE_DOTS and measured[0] is not None:
            finds.append(finds_the_dot(cells, found))
    said = f"in {sum(finds)} of {len(finds)}" if finds else None
    of_search = any(is_searched(r.cell) for r in results.cells if r.cell.variant == variant)
    kind = "remedy" if remedy else "searched" if of_search else "the paper's"
    start = (methods()[model].label, variant_name(variant), kind)
    row = (*start, *errors, said)
    return row if any(isinstance(error, float) for error in errors) else NotRun(row)


def remedies_in_words(results: Results, found: Criterion) -> str:
    """Return, for every fixed noise with remedies that have run, how many find the dot."""
    return " ".join(
        said
        for family, alpha in settings_of(results)
        if (said := _said(results, family, alpha, found))
    )


def _said(results: Results, family: str, alpha: str, found: Criterion) -> str:
    if not family.startswith("fixed"):  # where there is a failure to repair
        return ""
    here = [r for r in results.cells if (r.cell.family, r.cell.alpha) == (family, alpha)]
    names = dict.fromkeys((r.cell.model_type, r.cell.variant) for r in here if is_remedy(r.cell))
    errors = {}
    for model, variant in names:
        cells = results.of(family, alpha, model, variant)
        error = mean_error(cells)
        if error is not None:
            errors[model_name(cells[0].cell)] = error, finds_the_dot(cells, found)
    if not errors:
        return ""
    good = {name: error for name, (error, finds) in errors.items() if finds}
    setting = setting_name(family, alpha)
    if not good:
        return f"With {setting}, no remedy finds the dot."
    best = min(good, key=good.get)
    of = f"{len(good)} of {len(errors)} remedies" if len(errors) > 1 else "the remedy"
    finds = "find" if len(good) > 1 else "finds"
    return f"With {setting}, {of} {finds} the dot, best {best} ({good[best]:.2f} px)."
