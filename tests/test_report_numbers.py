"""What the reports say in numbers: intervals, tables, commands, table 1 and the control."""

from __future__ import annotations

import csv
import io
import itertools
import math
import random
import shlex
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_features.training.identity import settings_of_weights

from slow_features.config.load import load_config
from slow_features.grid.cells import cells_of
from slow_features.report.criteria import read_published, read_rules
from slow_features.report.grid_tables import control_table, table1
from slow_features.report.interval import mean_interval
from slow_features.report.results import CellResult, Results
from slow_features.report.settings import train_command
from slow_features.report.style import method
from slow_features.report.tables import Table, indented
from tests.fake_cells import cells, finished

# Intervals


def slow_interval(values):
    """The percentile bootstrap by listing every resample: the means at 2.5 % and at 97.5 %."""
    means = sorted(
        statistics.fmean(drawn) for drawn in itertools.product(values, repeat=len(values))
    )
    cut = math.floor(0.025 * len(means))
    return means[cut], means[-1 - cut]


@pytest.mark.parametrize("values", [[2.0, 2.5, 4.0], [1.0, 1.0, 5.0], [1.0, 2.0, 4.0, 8.0, 16.0]])
def test_the_interval_is_that_of_all_resamples(values):
    interval = mean_interval(values)
    assert interval.mean == pytest.approx(statistics.fmean(values))
    near = (max(values) - min(values)) / len(values) / 4  # means lie closer together than this
    assert interval[1:] == pytest.approx(slow_interval(values), abs=near)


def test_three_seeds_span_from_the_lowest_to_the_highest():
    """One resample in 27 is the lowest value three times: more than 2.5 %."""
    assert mean_interval([7.0, 1.0, 3.0])[1:] == (1.0, 7.0)


@given(st.lists(st.floats(0, 10), min_size=3, max_size=8))
@settings(max_examples=20, deadline=None)
def test_the_interval_holds_the_mean_and_is_the_same_each_time(values):
    interval = mean_interval(values)
    assert interval.low - 1e-9 <= interval.mean <= interval.high + 1e-9
    assert interval == mean_interval(values)


@pytest.mark.parametrize("values", [[3.0], [3.0, 5.0]])
def test_fewer_than_three_seeds_have_no_interval(values):
    assert mean_interval(values) == (statistics.fmean(values), None, None)


def test_no_values_have_no_mean():
    with pytest.raises(ValueError, match="no values"):
        mean_interval([])


# Tables


def test_a_table_is_the_same_in_csv_markdown_and_on_the_page():
    table = Table("t", "T", "", ("name", "px"), [("a|b", 1.23456), ("<i>", None)], {"px": 2})
    assert table.shown() == [["a|b", "1.23"], ["<i>", "—"]]
    assert list(csv.reader(io.StringIO(table.csv())))[1:] == [["a|b", "1.23456"], ["<i>", ""]]
    lines = table.markdown().splitlines()
    assert lines[1:] == ["| --- | ---: |", "| a&#124;b | 1.23 |", "| &lt;i&gt; | — |"]


def test_significant_digits_tell_numbers_of_any_size_apart():
    rows = [(507.659,), (4.8441,), (0.000345678,), (12345.6,)]
    table = Table("t", "T", "", ("loss",), rows, significant={"loss": 3})
    assert [row[0] for row in table.shown()] == ["508", "4.84", "0.000346", "12300"]
    assert "507.659" in table.csv()


def test_a_row_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="2 columns"):
        Table("t", "T", "", ("a", "b"), [("only one",)])


def test_no_text_breaks_out_of_a_code_block():
    assert all(line.startswith("    ") for line in indented("a\n```\n<b>").splitlines())


# Commands


@pytest.mark.parametrize(
    "cell", cells_of("quick") + cells_of("standard")[::9], ids=lambda c: c.name
)
def test_the_command_of_a_cell_gives_the_settings_of_the_cell(cell):
    words = shlex.split(train_command(cell.source, cell.config, "runs/x"))
    start, end = words.index("--configs"), words.index("--values")
    loaded = load_config(words[start + 1 : end], words[end + 1 :]).config
    assert loaded.output_path == "runs/x"
    assert settings_of_weights(loaded) == settings_of_weights(cell.config)
    assert loaded.probing_cfg == cell.config.probing_cfg
    assert loaded.val_dataset_size == cell.config.val_dataset_size


# Table 1 and the control


def test_table_1_sets_ours_beside_the_published_number_or_says_not_run():
    seeds = (1, 2, 3)
    results = [
        finished(c, per_dot={"action": 2.8 * c.seed, "random": 8.4, "stationary": 1.4})
        if c.model_type == "VICReg"
        else CellResult(c, None, "not run")
        for c in cells({"three_dots"}, seeds)
    ]
    table = table1(Results("standard", results), read_published())
    rows = {tuple(row[:2]): row[2:] for row in table.rows}
    published, _, ours, spread, difference = rows["VICReg", "action"]
    assert (published, round(ours, 6), round(spread, 6)) == (0.277, 0.2, 0.1)
    assert difference == pytest.approx(0.2 - 0.277)
    assert rows["SimCLR", "action"] == (0.193, None, "not run", None, None)
    assert rows[method("IDM").label, "random"][0] is None, "a number that nobody published"


def test_the_control_table_tells_a_training_that_worked_from_one_that_hardly_moved():
    results = [
        finished(c) if c.variant == "control" else finished(c, losses=(4.0, 3.99), moved=1e-3)
        for c in cells({"fixed_uniform"})
    ]
    table = control_table(Results("standard", results), read_rules().trained)
    said = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert {(row["variant"], row["training"]) for row in said} == {
        ("control", "trained"),
        ("published", "hardly moved"),
    }
    names = {str(result.cell.path) for result in results}
    assert {row["cell"] for row in said} <= names


def test_the_control_table_compares_predictions_with_copies_where_distances_are_learned():
    dynamics = {"prediction_mse": 6.0, "copy_mse": 0.9, "variance_over_time": 0.000312}
    results = [finished(c, dynamics=dynamics) for c in cells({"fixed_uniform"})]
    table = control_table(Results("standard", results), read_rules().trained)
    shown = [dict(zip(table.columns, row, strict=True)) for row in table.shown()]
    ratios = {row["method"]: row["prediction / copy"] for row in shown}
    assert ratios == {"VICReg": "6.67", "SimCLR": "—"}
    assert {row["time share"] for row in shown} == {"0.0003"}
    assert "SimCLR" in table.caption


def test_alpha_0_is_shared_by_the_families_of_one_dot():
    results = [finished(c) for c in cells({"changing_uniform", "fixed_structured", "three_dots"})]
    grid = Results("standard", results)
    assert grid.of("fixed_structured", "0", "IDM") == grid.of("changing_uniform", "0", "IDM")
    assert grid.of("three_dots", "0", "IDM")[0].cell.family == "three_dots"
    assert grid.levels("fixed_structured", "IDM") == ["0", "0.5", "1.5", "3"]
    assert grid.levels("three_dots", "IDM") == ["0"]


def test_reference_level_is_the_one_nearest_to_the_headline():
    shuffled = cells({"fixed_uniform", "changing_uniform"})
    random.Random(0).shuffle(shuffled)
    grid = Results("standard", [finished(c) for c in shuffled])
    assert grid.reference_level("fixed_uniform") == "1.25"
    assert grid.reference_level("changing_uniform") == "1.5"
