"""Parts of the grid are named one way: the beginning of a cell's path, with wildcards."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.errors import InputError
from slow_features.grid.cells import cells_of
from slow_features.grid.definition import scales
from slow_features.grid.select import select

CELL = "quick/VICReg/changing_uniform/alpha1.5-published-seed1"


def chosen(scale: str, keep) -> list[str]:
    """Return the paths of the cells of a scale that `keep` keeps, in the grid's order."""
    return [str(cell.path) for cell in cells_of(scale) if keep(cell)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("quick", chosen("quick", lambda c: True)),
        ("quick/", chosen("quick", lambda c: True)),
        ("quick/RSSM", chosen("quick", lambda c: c.model_type == "RSSM")),
        ("standard/*/three_dots", chosen("standard", lambda c: c.family == "three_dots")),
        ("seeds/*/*/*seed2", chosen("seeds", lambda c: c.seed == 2)),
        ("quick/*/*/*-control-*", chosen("quick", lambda c: c.variant == "control")),
        ("standard/*/fixed*/alpha0.5*", chosen(
            "standard", lambda c: c.family.startswith("fixed") and c.alpha == "0.5")),
        ("standard/SimCLR/*/alpha?-*", chosen(
            "standard", lambda c: c.model_type == "SimCLR" and len(c.alpha) == 1)),
        (CELL, [CELL]),
    ],
)  # fmt: skip
def test_a_pattern_names_cells(pattern, expected):
    assert [str(cell.path) for cell in select([pattern])] == expected != []


def test_a_wildcard_for_the_scale_takes_all_of_them():
    found = select(["*/SimCLR/changing_uniform/alpha1.5-published-seed1"])
    assert [cell.scale for cell in found] == sorted(
        (cell.scale for cell in found), key=scales().index
    )
    assert {cell.scale for cell in found} == set(scales())


def test_a_cell_that_two_patterns_name_comes_once():
    found = [str(cell.path) for cell in select(["quick/RSSM", "quick", CELL])]
    assert sorted(found) == sorted(chosen("quick", lambda c: True))


def test_no_pattern_names_nothing():
    assert select([]) == []


@pytest.mark.parametrize(
    ("pattern", "part", "near"),
    [
        ("quik", "scale 'quik'", "quick"),
        ("quick/VicReg", "model type 'VicReg'", "VICReg"),
        ("quick/*/three_dots", "noise family 'three_dots'", "fixed_uniform"),
        ("quick/VICReg/changing_unifrom", "noise family 'changing_unifrom'", "changing_uniform"),
        (CELL.replace("1.5", "1.6"), "cell 'alpha1.6-published-seed1'", "alpha1.5-published-seed1"),
        ("", "scale ''", "quick"),
        ("/", "scale ''", "quick"),
        ("quick//fixed_uniform", "model type ''", "VICReg"),
        ("quick/[V]ICRe", "model type '[V]ICRe'", "VICReg"),
        ("../quick", "scale '..'", "quick"),
    ],
)
def test_a_pattern_that_names_nothing_is_refused_with_the_nearest_names(pattern, part, near):
    with pytest.raises(InputError) as caught:
        select(["quick/RSSM", pattern])
    line = str(caught.value)
    assert line.startswith(f"{pattern!r}: no {part}; nearest: ") and line.isprintable()
    assert near in line.partition("nearest: ")[2].split(", ")


def test_more_parts_than_a_path_has_are_refused():
    with pytest.raises(InputError, match="allowed: SCALE/MODEL/FAMILY/CELL"):
        select([f"{CELL}/x"])


@settings(deadline=None)  # it reads the whole grid, which a busy machine may take its time for
@given(st.text() | st.just("x" * 5000))
def test_any_text_names_cells_or_is_refused(text):
    try:
        found = select([text])
    except InputError as error:
        assert str(error).isprintable() and len(str(error)) < 600
    else:
        assert found
