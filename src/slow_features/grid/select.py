"""Parts of the grid by name: what `make plan` and `make reproduce` take alike."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from slow_features.config.load import shorten
from slow_features.errors import InputError
from slow_features.grid.cells import Cell, cells_of
from slow_features.grid.definition import scales

_PARTS = ("scale", "model type", "noise family", "cell")


def select(patterns: Sequence[str]) -> list[Cell]:
    """Return the cells that any pattern names, each once, in the grid's order.

    A pattern is the beginning of a cell's path, SCALE/MODEL/FAMILY/CELL; each part may have the
    wildcards * and ?: "quick", "standard/*/three_dots", "standard/RSSM", "*/*/*/alpha1.5*".
    Raises InputError for a pattern that names nothing, with the nearest names that there are.
    """
    found = {cell.path: cell for pattern in patterns for cell in _matching(pattern)}
    return list(found.values())


def _matching(pattern: str) -> list[Cell]:
    wanted = pattern.strip("/").split("/")
    if len(wanted) > len(_PARTS):
        raise InputError(
            f"{shorten(pattern)}: allowed: SCALE/MODEL/FAMILY/CELL, or the beginning of it"
        )
    known = scales()
    _require(pattern, 0, wanted[0], known)
    cells = [c for scale in known if fnmatchcase(scale, wanted[0]) for c in cells_of(scale)]
    for place, part in enumerate(wanted):
        _require(pattern, place, part, [cell.path.parts[place] for cell in cells])
        cells = [cell for cell in cells if fnmatchcase(cell.path.parts[place], part)]
    return cells


def _require(pattern: str, place: int, part: str, names: Sequence[str]) -> None:
    """Raise InputError unless a part of a pattern fits one of the names."""
    if any(fnmatchcase(name, part) for name in names):
        return
    there = list(dict.fromkeys(names))
    near = get_close_matches(part, there, n=3, cutoff=0.3) or there[:8]
    what = f"no {_PARTS[place]} {shorten(part)}"
    raise InputError(f"{shorten(pattern)}: {what}; nearest: {', '.join(near)}")
