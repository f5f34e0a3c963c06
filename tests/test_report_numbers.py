"""What the reports say in numbers: intervals, tables, commands and verdicts."""

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
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.config.load import load_config
from slow_features.grid.cells import cells_of
from slow_features.report.claims import judge
from slow_features.report.criteria import Rules, read_published, read_rules
from slow_features.report.grid_tables import control_table, table1
from slow_features.report.interval import mean_interval
from slow_features.report.outputs import Outputs
from slow_features.report.results import CellResult, Results
from slow_features.report.settings import train_command
from slow_features.report.style import method
from slow_features.report.tables import Table, indented
from slow_features.training.identity import settings_of_weights
from tests.fake_results import CENTRE_PX, fake_paths, fake_result

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


# Results in memory, made up


def finished(cell, error_px=5.0, per_dot=None, losses=(4.0, 2.0), moved=0.5):
    """Return a cell with a made-up result."""
    outputs = Outputs(
        result=fake_result(cell.config, error_px, per_dot),
        paths=fake_paths(cell.config.dots, error_px),
        summary={"weights_moved": {"encoder": moved}},
        curve=[{"step": i, "epoch": i, "loss": loss} for i, loss in enumerate(losses)],
        cost={},
        revision=None,
    )
    return CellResult(cell, outputs)


def cells(families, seeds=(1,)):
    """Return the standard grid's cells of some families, for any seeds."""
    there = [cell for cell in cells_of("standard") if cell.family in families]
    return [replace(cell, seed=seed) for cell in there for seed in seeds]


def rules_with(part, criteria=()):
    """Return the rules with one claim of one part."""
    rules = read_rules().model_dump()
    claim = {"id": "made-up", "parts": [{"name": "part", **part}]}
    return Rules.model_validate(
        rules | {"criteria": rules["criteria"] | dict(criteria), "claims": [claim]}
    )


def verdict(part, errors, **made_up):
    """Return the verdict about one part; errors: px by (model, variant), the rest is 7 px."""
    results = [
        finished(cell, errors.get((cell.model_type, cell.variant), 7.0), **made_up)
        for cell in cells({part["family"], "changing_uniform"})
    ]
    return judge(Results("standard", results), rules_with(part))[0].verdict


def one_check(criterion, **more):
    return {"criterion": criterion, "models": ["VICReg"], **more}


LEVEL = {"family": "changing_uniform", "levels": ["1.5"]}


@pytest.mark.parametrize(
    ("check", "error", "expected"),
    [
        (one_check("found"), 0.5 * CENTRE_PX - 0.01, "reproduced"),
        (one_check("found"), 0.5 * CENTRE_PX + 0.01, "not reproduced"),
        (one_check("below_untrained"), 0.7 * 7 - 0.01, "reproduced"),
        (one_check("below_untrained"), 0.7 * 7 + 0.01, "not reproduced"),
        (one_check("as_good_as_reconstruction"), 7.49, "reproduced"),
        (one_check("as_good_as_reconstruction"), 7.51, "not reproduced"),
        (one_check("near_untrained"), 0.8 * 7 + 0.01, "reproduced"),
        (one_check("near_untrained"), 0.8 * 7 - 0.01, "not reproduced"),
        (one_check("within_centre"), 1.05 * CENTRE_PX + 0.01, "not reproduced"),
        (one_check("not_below_supervised"), 6.76, "reproduced"),
        (one_check("not_below_supervised"), 6.74, "not reproduced"),
    ],
)
def test_a_criterion_turns_at_its_number(check, error, expected):
    assert verdict(LEVEL | {"checks": [check]}, {("VICReg", "published"): error}) == expected


FIXED = {"family": "fixed_uniform", "levels": ["0.5", "1.25", "2.5"]}
JEPA_FAILS = [
    one_check("training_worked", variant="control"),
    one_check("near_untrained", variant="control"),
    one_check("near_untrained"),
]


@pytest.mark.parametrize(
    ("control", "published", "losses", "moved", "expected"),
    [
        (8.0, 8.0, (4.0, 3.0), 0.5, "reproduced"),
        (8.0, 8.0, (4.0, 3.9), 0.5, "not reproduced"),  # the loss did not fall
        (8.0, 8.0, (4.0, 3.0), 0.01, "not reproduced"),  # the network did not move
        (2.0, 8.0, (4.0, 3.0), 0.5, "not reproduced"),  # the control finds the dot
        (8.0, 2.0, (4.0, 3.0), 0.5, "not reproduced"),  # the published rate finds it
    ],
)
def test_a_failure_counts_only_where_the_control_has_trained(
    control, published, losses, moved, expected
):
    errors = {("VICReg", "control"): control, ("VICReg", "published"): published}
    part = FIXED | {"checks": JEPA_FAILS}
    assert verdict(part, errors, losses=losses, moved=moved) == expected


def test_one_bad_level_is_enough_to_fail_and_one_good_level_where_one_is_asked_for():
    results = [
        finished(c, {"0.5": 1.0, "1.5": 8.0, "3": 1.0}.get(c.alpha, 7.0))
        for c in cells({"changing_uniform"})
    ]
    part = {"family": "changing_uniform", "checks": [one_check("found")]}
    grid = Results("standard", results)

    def judged(levels, holds):
        rules = rules_with(part | {"levels": levels, "holds": holds})
        return judge(grid, rules)[0].verdict

    assert judged(["0.5"], "every_level") == "reproduced"
    # 1.5 is not listed, but lies between levels that are
    assert judged(["0.5", "3"], "every_level") == "not reproduced"
    assert judged(["0.5", "3"], "some_level") == "reproduced"
    assert judged(["1.5"], "some_level") == "not reproduced"


def test_the_mean_over_the_seeds_decides():
    shifts = {1: -3.0, 2: 0.0, 3: 2.0}
    results = [
        finished(c, 5.0 + shifts[c.seed]) for c in cells({"changing_uniform"}, seeds=(1, 2, 3))
    ]
    bound = {"b": {"at_most": 1.0, "of": "centre", "plus_px": 4.7 - CENTRE_PX, "why": "test"}}
    rules = rules_with(LEVEL | {"checks": [one_check("b")]}, bound)
    claim = judge(Results("standard", results), rules)[0]
    assert claim.parts[0].checks[0].decisive[0].text == "4.67 px (at most 4.70)"
    assert claim.verdict == "reproduced"


def test_a_claim_is_not_run_without_any_one_of_its_cells_and_names_it():
    rules = rules_with(LEVEL | {"checks": [one_check("below_untrained")]})
    for gone in ("VICReg", "Random"):
        results = [
            CellResult(c, None, "not run")
            if (c.model_type, c.variant, c.alpha) == (gone, "published", "1.5")
            else finished(c)
            for c in cells({"changing_uniform"})
        ]
        claim = judge(Results("standard", results), rules)[0]
        assert claim.verdict == "not run"
        missing = f"changing_uniform/{gone}/alpha1.5-published-seed1"
        assert claim.parts[0].checks[0].missing == [missing]


def test_no_verdict_at_all_without_runs():
    results = [CellResult(cell, None, "not run") for cell in cells_of("standard")]
    claims = judge(Results("standard", results), read_rules())
    assert {claim.verdict for claim in claims} == {"not run"}


def test_a_level_outside_the_scale_is_missing():
    rules = rules_with({**LEVEL, "levels": ["1.5", "9"], "checks": [one_check("found")]})
    results = [finished(c, 1.0) for c in cells({"changing_uniform"})]
    claim = judge(Results("standard", results), rules)[0]
    assert claim.verdict == "not run"
    assert "alpha9-published (not in this scale)" in claim.parts[0].checks[0].missing[0]


@pytest.mark.parametrize(("other", "expected"), [("1.25", "reproduced"), ("0.5", "not reproduced")])
def test_a_model_is_compared_with_itself_at_another_level(other, expected):
    """6 px are a quarter more than 4 px, not than 5 px."""
    errors = {"0.5": 5.0, "1.25": 4.0, "2.5": 6.0}
    results = [finished(c, errors[c.alpha]) for c in cells({"fixed_uniform"})]
    check = one_check("degraded", against={"alpha": other})
    rules = rules_with({"family": "fixed_uniform", "levels": ["2.5"], "checks": [check]})
    assert judge(Results("standard", results), rules)[0].verdict == expected


def test_there_are_criteria_for_every_published_claim():
    published = [claim["id"] for claim in read_published()["claims"]]
    assert [claim.id for claim in read_rules().claims] == published


def test_the_standard_and_the_paper_scale_hold_every_cell_that_the_claims_need():
    for scale in ("standard", "paper"):
        results = Results(scale, [finished(cell) for cell in cells_of(scale)])
        for claim in judge(results, read_rules()):
            assert claim.verdict != "not run", (scale, claim)


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
    assert {(row[2], row[-1]) for row in table.rows} == {
        ("control", "trained"),
        ("published", "hardly moved"),
    }


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
