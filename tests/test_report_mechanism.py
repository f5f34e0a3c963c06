"""Why it fails: bars and rows of what embeddings hold, from made-up numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slow_features.grid.cells import cells_of
from slow_features.report.mechanism import (
    draw_mechanism,
    has_mechanism,
    mechanism_caption,
    mechanism_table,
)
from slow_features.report.results import CellResult, Results
from slow_features.report.style import methods, styled
from tests.fake_cells import finished
from tests.fake_results import fake_dynamics


def results_of(scale, error=lambda cell: 5.0, keep=lambda cell: True, seeds=None):
    """Return the scale's cells with made-up results; cells that are not kept are not run."""
    there = [cell for cell in cells_of(scale) if cell.seed == 1]
    there = [replace(cell, seed=seed) for cell in there for seed in seeds or (1,)]
    return Results(
        scale,
        [
            finished(cell, error(cell), dynamics=fake_dynamics(error(cell)))
            if keep(cell)
            else CellResult(cell, None, "not run")
            for cell in there
        ],
    )


def panels_of(results):
    """Return for each panel's title its labels, its bars' (left, width) and its texts."""
    with styled():
        figure = draw_mechanism(results)
    found = {}
    for axes in figure.axes:
        labels = [label.get_text() for label in axes.get_yticklabels()]
        bars = [[] for _ in labels]
        for bar in axes.patches:
            row = round(bar.get_y() + bar.get_height() / 2)
            bars[row].append((bar.get_x(), bar.get_width()))
        found[axes.get_title(loc="left")] = (labels, bars, [t.get_text() for t in axes.texts])
    return found


def test_every_method_and_variant_has_a_bar_and_fixed_noise_comes_first():
    results = results_of("standard")
    panels = panels_of(results)
    assert list(panels) == [
        "fixed uniform noise 1.25",
        "fixed structured noise 1.5",
        "changing uniform noise 1.5",
        "changing structured noise 1.5",
    ]
    labels = panels["fixed uniform noise 1.25"][0]
    for look in methods().values():
        assert look.label in labels
    controls = [label for label in labels if label.endswith(", control")]
    assert controls
    for control in controls:  # failing and repaired side by side
        assert labels.index(control) == labels.index(control.removesuffix(", control")) + 1


def test_a_bar_is_the_mean_of_its_seeds_and_ends_at_one():
    def error(cell):
        return {1: 2.0, 2: 3.0, 3: 7.0}[cell.seed]

    panels = panels_of(results_of("quick", error, seeds=(1, 2, 3)))
    _, bars, texts = panels["fixed uniform noise 1.25"]
    noise = sum(fake_dynamics(value)["noise_share"] for value in (2.0, 3.0, 7.0)) / 3
    for parts in bars:
        assert parts[0] == pytest.approx((0, noise))
        assert [left for left, _ in parts[1:]] == pytest.approx(
            [left + width for left, width in parts[:-1]]
        )
        assert sum(parts[-1]) == pytest.approx(1)
    assert set(texts) == {"4.00 px"}


def test_what_is_not_run_says_so_in_figure_and_table():
    missing = "IDM"
    results = results_of("quick", keep=lambda cell: cell.model_type != missing)
    labels, bars, texts = panels_of(results)["fixed uniform noise 1.25"]
    row = labels.index(methods()[missing].label)
    assert bars[row] == []
    assert "not run" in texts
    table = mechanism_table(results)
    assert len(table.absent()) == sum(r.cell.model_type == missing for r in results.cells)
    nothing = results_of("quick", keep=lambda cell: False)
    assert all(not bars for panel in panels_of(nothing).values() for bars in panel[1])


def test_a_result_of_older_code_has_dashes_and_no_bar():
    old = Results("quick", [finished(cell, dynamics={}) for cell in cells_of("quick")])
    _, bars, texts = panels_of(old)["fixed uniform noise 1.25"]
    assert not any(bars)
    assert set(texts) == {"not run"}
    assert all(set(row.texts[6:]) == {"—"} for row in mechanism_table(old).shown())


def test_the_table_has_a_row_for_each_cell_with_noise_and_its_ratios():
    results = results_of("standard")
    rows = mechanism_table(results).rows
    named = {row[0] for row in rows}
    without = {r.cell for r in results.cells if float(r.cell.alpha) == 0}
    assert without
    assert named == {r.cell for r in results.cells} - without
    table = mechanism_table(results_of("quick"))
    shown = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert {row["prediction / copy"] for row in shown} == {2.0}
    assert {row["on directions"] for row in shown} == {0.5}
    for row in shown:
        assert row["noise"] + row["dot"] + row["both"] == pytest.approx(1)


def test_the_caption_says_how_many_seeds_there_are():
    assert "One seed" in mechanism_caption(results_of("quick"))
    assert "points: the borders of each seed" in mechanism_caption(
        results_of("quick", seeds=(1, 2))
    )


def test_a_scale_without_noise_has_no_such_figure():
    cells = [cell for cell in cells_of("standard") if float(cell.alpha) == 0]
    assert not has_mechanism(Results("standard", [finished(cell) for cell in cells]))
    assert has_mechanism(results_of("quick"))


def test_neither_figure_nor_table_knows_a_model_by_its_name():
    from slow_features.models.registry import MODELS
    from slow_features.report import mechanism

    source = Path(mechanism.__file__).read_text()
    assert [name for name in MODELS if name in source] == []
