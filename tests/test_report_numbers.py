"""What the reports say in numbers: intervals, tables, commands, table 1 and the control."""

from __future__ import annotations

import csv
import io
import itertools
import math
import random
import shlex
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slow_features.config.load import load_config
from slow_features.config.sections import RandomSection
from slow_features.grid.cells import cells_of
from slow_features.identity import settings_of_weights
from slow_features.models.registry import MODELS, ModelEntry
from slow_features.report.criteria import read_published, read_rules
from slow_features.report.curves import relative_loss
from slow_features.report.grid_losses import trained_groups
from slow_features.report.grid_tables import control_table, table1
from slow_features.report.results import CellResult, Results
from slow_features.report.settings import train_command
from slow_features.report.spread import spread, spread_in_words
from slow_features.report.style import method, methods
from slow_features.report.tables import Table, indented
from tests.fake_cells import cells, finished
from tests.fake_results import fake_result

# The spread over seeds


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=4))
def test_the_spread_of_few_seeds_is_their_range(values):
    assert spread(values) == (min(values), max(values))


@pytest.mark.parametrize(
    ("values", "quantile"),  # of Student's t at 97.5 %, from a printed table
    [
        ([1.0, 2.0, 4.0, 8.0, 16.0], 2.776),
        ([3.0, 5.0] * 3, 2.571),
        ([float(n) for n in range(10)], 2.262),
    ],
)
def test_the_spread_of_more_is_students_interval_of_the_mean(values, quantile):
    mean = statistics.fmean(values)
    half = quantile * statistics.stdev(values) / math.sqrt(len(values))
    assert spread(values) == pytest.approx((mean - half, mean + half), rel=1e-3)


@pytest.mark.parametrize("count", [5, 8])
def test_what_is_called_95_percent_covers_95_percent(count):
    """4,000 draws of so many seeds: their interval holds the true mean 0.95 times as often."""
    generator = random.Random(0)
    draws = [[generator.gauss(7.0, 0.3) for _ in range(count)] for _ in range(4000)]
    held = sum(low <= 7.0 <= high for low, high in map(spread, draws))
    assert held / len(draws) == pytest.approx(0.95, abs=0.012)  # 3.5 standard deviations


@pytest.mark.parametrize("values", [[], [3.0]])
def test_one_value_has_no_spread(values):
    with pytest.raises(ValueError, match="no spread"):
        spread(values)


def test_the_spread_is_called_what_it_is():
    assert spread_in_words({1}) == ""
    assert spread_in_words({1, 3}) == "the points and the range of 3 seeds"
    assert spread_in_words({2, 3}) == "the points and the range of 2 or 3 seeds"
    assert spread_in_words({5}) == "the 95% t interval of the mean of 5 seeds"
    assert "%" not in spread_in_words({2, 3, 4})
    assert spread_in_words({4, 6}) == (
        "the points and the range of 4 seeds or the 95% t interval of the mean of 6 seeds"
    )


# Tables


def test_a_table_is_the_same_in_csv_markdown_and_on_the_page():
    table = Table("t", "T", "", ("name", "px"), [("a|b", 1.23456), ("<i>", None)], {"px": 2})
    assert [row.texts for row in table.shown()] == [["a|b", "1.23"], ["<i>", "—"]]
    assert list(csv.reader(io.StringIO(table.csv())))[1:] == [["a|b", "1.23456"], ["<i>", ""]]
    lines = table.markdown().splitlines()
    assert lines[1:] == ["| --- | ---: |", "| a&#124;b | 1.23 |", "| &lt;i&gt; | — |"]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+SUM(A1)", "-1+cmd|' /C calc'!A0", "@SUM(A1)", " =1", "\t=1", "\r@x", "-", "=a\r=b"],
)
def test_no_text_in_a_csv_file_is_a_formula(text):
    table = Table("t", "T", "", ("setting", text), [("run_name", text)])
    assert list(csv.reader(io.StringIO(table.csv()))) == [
        ["setting", f"'{text}".replace("\r", "\n")],
        ["run_name", f"'{text}".replace("\r", "\n")],
    ]
    assert table.shown()[0].texts[1] == text, "pages do not compute"


@pytest.mark.parametrize("value", [-1.5, -3, "-1.5", "+2", "-1e-3", "a=1", "", "2022-11-20"])
def test_numbers_and_other_texts_in_a_csv_file_stay_as_they_are(value):
    table = Table("t", "T", "", ("value",), [(value,), ("x",)])
    assert next(itertools.islice(csv.reader(io.StringIO(table.csv())), 1, None)) == [str(value)]


def test_significant_digits_tell_numbers_of_any_size_apart():
    rows = [(507.659,), (4.8441,), (0.000345678,), (12345.6,)]
    table = Table("t", "T", "", ("loss",), rows, significant={"loss": 3})
    assert [row.texts[0] for row in table.shown()] == ["508", "4.84", "0.000346", "12300"]
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
    published, _, ours, spread, difference, of_roots, its = rows["VICReg", "action"]
    assert (published, round(ours, 6), round(spread, 6)) == (0.277, 0.2, 0.1)
    assert difference == pytest.approx(0.2 - 0.277)
    assert its == pytest.approx(of_roots - 0.277)
    assert rows["SimCLR", "action"] == (0.193, None, "not run", None, None, None, None)
    assert rows[method("IDM").label, "random"][0] is None, "a number that nobody published"


def test_table_1_has_the_published_probe_where_it_was_fitted():
    per_dot = {"action": 7.0, "random": 8.4, "stationary": 1.4}
    (cell,) = [
        c for c in cells({"three_dots"}) if (c.model_type, c.variant) == ("IDM", "published")
    ]
    adam = fake_result(cell.config, 6.0, per_dot, solver="adam")
    alone = table1(Results("standard", [finished(cell, per_dot=per_dot)]), read_published())
    both = table1(Results("standard", [finished(cell, 5.0, adam=adam)]), read_published())
    assert both.columns == (*alone.columns, "ours, by Adam", "difference by Adam")
    assert ("By Adam" in both.caption, "By Adam" in alone.caption) == (True, False)
    assert {len(row) for row in both.rows} == {len(both.columns)}
    assert {len(row) for row in alone.rows} == {len(alone.columns)}
    rows = {tuple(row[:2]): row for row in both.rows}
    label = method("IDM").label
    assert rows[label, "action"][-2:] == (pytest.approx(0.25), pytest.approx(0.25 - 0.035))
    assert rows[label, "random"][-2:] == (pytest.approx(0.3), None)
    assert rows["SimCLR", "action"][-2:] == rows["start", "action"][-2:] == (None, None)


def test_table_1_has_searched_hyper_parameters_beside_those_of_one_dot():
    results = [
        finished(c, error_px=5.6 if c.variant == "searched" else 8.4)
        if c.model_type == "SimCLR"
        else CellResult(c, None, "not run")
        for c in cells({"three_dots"})
    ]
    table = table1(Results("standard", results), read_published())
    ours = {row[0]: row[4] for row in table.rows if row[1] == "action"}
    assert (ours["SimCLR"], ours["SimCLR, searched"]) == (pytest.approx(0.3), pytest.approx(0.2))
    assert ours["VICReg, searched"] == "not run"
    assert "Random features, searched" not in ours, "what no search has been made for"
    assert "Searched: the best of 12 trials, study three_dots." in table.caption


def test_the_control_table_tells_a_training_that_worked_from_one_that_hardly_moved():
    short = {
        "control": {},
        "published": {"losses": (4.0, 3.99), "moved": 1e-3},
        "within_action": {"losses": (4.0, 3.99)},
        "other_actions": {"moved": 1e-3},
    }
    results = [finished(c, **short[c.variant]) for c in cells({"fixed_uniform"})]
    table = control_table(Results("standard", results), read_rules().trained)
    said = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert {(row["cell"].variant, row["training"]) for row in said} == {
        ("control", "trained"),
        ("published", "hardly moved"),
        ("within_action", "loss hardly fell"),
        ("other_actions", "hardly moved"),
    }
    assert {row["cell"] for row in said} <= {result.cell for result in results}


def test_the_control_table_compares_predictions_with_copies_where_distances_are_learned():
    dynamics = {"prediction_mse": 6.0, "copy_mse": 0.9, "variance_over_time": 0.000312}
    results = [finished(c, dynamics=dynamics) for c in cells({"fixed_uniform"})]
    table = control_table(Results("standard", results), read_rules().trained)
    shown = [dict(zip(table.header(), row.texts, strict=True)) for row in table.shown()]
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


# What the registry says of a model type


def test_model_types_without_a_look_of_their_own_get_different_ones(monkeypatch):
    known = methods()
    for number in range(5):
        monkeypatch.setitem(MODELS, f"New{number}", ModelEntry("a.module:Class", RandomSection))
    monkeypatch.setitem(
        MODELS, "Named", ModelEntry("a.module:Class", RandomSection, label="A name")
    )
    assert {name: look for name, look in methods().items() if name in known} == known
    looks = [look for name, look in methods().items() if name != "Named"]
    assert len({look.colour for look in looks}) == len({look.marker for look in looks}) == 11
    assert method("New3").label == "New3"
    assert method("Named").label == "A name"


def test_the_report_follows_the_entry_of_a_model_type(monkeypatch):
    """Whether it trains, what its loss cannot go below, whether distances say something."""
    dynamics = {"prediction_mse": 6.0, "copy_mse": 0.9, "variance_over_time": 0.1}
    results = Results(
        "standard", [finished(c, dynamics=dynamics) for c in cells({"fixed_uniform"})]
    )

    def seen():
        table = control_table(results, read_rules().trained)
        at = table.columns.index("prediction / copy")
        ratios = {row[0].model_type: row[at] for row in table.rows}
        curve = [{"loss": 3.0}, {"loss": 2.5}]
        trained = {f"{name}" for name in trained_groups(results, "fixed_uniform")}
        return ratios["VICReg"] is None, relative_loss("VICReg", curve)[1], "VICReg" in trained

    assert seen() == (False, pytest.approx(2.5 / 3), True)
    changed = {"learns_distances": False, "loss_floor": 2.0, "trains": False}
    monkeypatch.setitem(MODELS, "VICReg", replace(MODELS["VICReg"], **changed))
    assert seen() == (True, 0.5, False)
