"""What pages and figures call cells, noise settings and variants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slow_features.grid.cells import THREE_DOTS, Cell
from slow_features.grid.config_files import CONFIGS_FOLDER, SEARCHED_FOLDER
from slow_features.grid.definition import PUBLISHED
from slow_features.report.style import method

if TYPE_CHECKING:
    from slow_features.report.results import CellResult, Results

REMEDIES = CONFIGS_FOLDER / "remedies"  # a cell with a file from here is meant to repair a failure
CELL_COLUMNS = ("method", "variant", "noise", "alpha", "seed")  # what tells cells of a scale apart


def family_name(family: str) -> str:
    """Return a noise family in words."""
    return family.replace("_", " ")


def setting_name(family: str, alpha: str) -> str:
    """Return a noise setting in words."""
    if family == THREE_DOTS:
        return "three dots, no noise"
    return "no noise" if float(alpha) == 0 else f"{family_name(family)} noise {alpha}"


def model_name(cell: Cell) -> str:
    """Return a method and its variant in words."""
    label = method(cell.model_type).label
    return label if cell.variant == PUBLISHED else f"{label}, {variant_name(cell.variant)}"


def variant_name(variant: str) -> str:
    """Return a variant in words."""
    return variant.replace("_", " ")


def cell_texts(cell: Cell) -> tuple[str, ...]:
    """Return what stands in CELL_COLUMNS of a cell's row."""
    noise = family_name(cell.family)
    return cell.model_type, variant_name(cell.variant), noise, cell.alpha, str(cell.seed)


def cell_name(cell: Cell) -> str:
    """Return a cell in words."""
    setting = setting_name(cell.family, cell.alpha)
    return f"{cell.model_type}, {variant_name(cell.variant)}, {setting}, seed {cell.seed}"


def anchor(cell: Cell) -> str:
    """Return the id in a page of the card of a cell."""
    return "cell-" + str(cell.path.relative_to(cell.scale)).replace("/", "-")


def is_remedy(cell: Cell) -> bool:
    """Return whether a cell tries to repair a failure, rather than to repeat the paper."""
    return REMEDIES in Path(cell.source).parents


def is_searched(cell: Cell) -> bool:
    """Return whether a cell has hyper-parameters that a search of ours has found."""
    return Path(cell.source).parent == SEARCHED_FOLDER


def searched_in_words(shown: Iterable[CellResult]) -> str:
    """Return how the searched hyper-parameters were found of what a table shows."""
    groups = {r.cell.config.run_group for r in shown if is_searched(r.cell)}
    return f" Searched: the {'; the '.join(sorted(filter(None, groups)))}." if groups else ""


def variants(results: Results) -> list[str]:
    """Return the variants of a scale: the published one, then the others in the grid's order."""
    return list(dict.fromkeys([PUBLISHED, *(r.cell.variant for r in results.cells)]))


def look_of(results: Results, cell: Cell) -> dict[str, Any]:
    """Return how matplotlib draws a cell: colour and marker of its method, as its variant.

    Filling and line are chosen among the variants of its method alone, since there are few.
    """
    of_method = [r.cell.variant for r in results.cells if r.cell.model_type == cell.model_type]
    order = list(dict.fromkeys([PUBLISHED, *of_method]))
    return method(cell.model_type).look(order.index(cell.variant))


def listed(words: Iterable[str], last: str = "and") -> str:
    """Return words as a list in a sentence: A, B and C."""
    words: Sequence[str] = list(words)
    return f" {last} ".join([*([", ".join(words[:-1])] if words[:-1] else []), *words[-1:]])
