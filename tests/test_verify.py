"""Results in git beside those computed here: whatever does not agree is found and named."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from slow_features.grid.cells import cells_of
from slow_features.grid.run import stored
from slow_features.grid.verify import TOLERANCE_PX, verification_table, verify, write_verified
from slow_features.results.files import Place
from tests.fake_results import CENTRE_PX, write_fake_cell

ROOT = Path(__file__).parents[1]
ELSEWHERE = {"machine": {"cpu": "another", "cores": 64, "platform": "far away"}}
LATER = {"started": "2001-01-01T00:00:00+00:00"}
CELL = "VICReg/changing_uniform/alpha1.5-published-seed1"
RESULT, METRICS = (
    Path(f"results/probe/quick/{CELL}/{name}.json") for name in ("result", "metrics")
)


@pytest.fixture
def grid(tmp_root):
    """A project with the grid of this one and no result."""
    for name in ("grids.yaml", "reproduce_configs"):
        (tmp_root / name).symlink_to(ROOT / name)
    return cells_of("quick")


def error_of(cell) -> float:
    return {"Random": 7.5, "Supervised": 2.0}.get(cell.model_type, 4.0)


def commit(cells, change=lambda cell: 0.0, **run):
    """Write results as git has them; change: added to the error of a cell, px."""
    for cell in cells:
        write_fake_cell(
            Place.recorded(cell.path), cell.config, error_of(cell) + change(cell), **run
        )


def compute(cells, change=lambda cell: 0.0, **run):
    """Write results as the store of this machine has them."""
    for cell in cells:
        write_fake_cell(stored(cell).place, cell.config, error_of(cell) + change(cell), **run)


def rows(found) -> dict[str, tuple]:
    return {row[0].removeprefix("quick/"): row[1:] for row in verification_table(found).rows}


def test_the_same_bytes_agree(grid):
    commit(grid)
    compute(grid, **LATER)
    found = verify("quick")
    assert found.good and found.agreeing == found.recorded == found.asked == len(grid)
    assert "15 of 15 cells agree, and so does every verdict" in found.in_words()
    committed, here, difference, tolerance, agrees = rows(found)[CELL]
    assert (committed, here, difference, agrees) == (4.0, 4.0, 0.0, "yes")
    assert "every byte" in tolerance


def test_nothing_computed_here_is_not_good(grid):
    commit(grid)
    found = verify("quick")
    assert not found.good and found.compared == ()
    assert "None of its cells" in found.in_words()
    compute(grid, **LATER)
    assert verify("quick").good


def test_nothing_recorded_is_not_good(grid):
    compute(grid)
    found = verify("quick")
    assert (found.good, found.recorded) == (False, 0)


def test_the_very_run_that_was_recorded_is_no_second_one(grid):
    commit(grid)
    compute(grid)
    assert verify("quick").compared == ()
    compute(grid[:3], **LATER)
    assert len(verify("quick").compared) == 3


def forge(file: Path, old: float = 4.0, new: float = 3.9) -> None:
    """Change a number of a file wherever it stands."""
    text = file.read_text()
    assert f"{old}" in text
    file.write_text(text.replace(f"{old}", f"{new}"))


@pytest.mark.parametrize("run", [LATER, {}], ids=["another run", "the run that was recorded"])
@pytest.mark.parametrize("file", [RESULT, METRICS], ids=lambda file: file.name)
def test_a_forged_committed_number_is_found(file, run, grid):
    commit(grid)
    compute(grid, **run)
    forge(file)
    found = verify("quick")
    assert not found.good
    assert {name: row[-1] for name, row in rows(found).items() if row[-1] != "yes"} == {
        CELL: f"no: {file.name}"
    }


def test_a_file_that_git_has_lost_or_that_nobody_made_is_found(grid):
    commit(grid)
    compute(grid, **LATER)
    (RESULT.parent / "paths.json").unlink()
    assert "paths.json" in rows(verify("quick"))[CELL][-1]
    commit(grid)
    (RESULT.parent / "more.json").touch()
    assert rows(verify("quick"))[CELL][-1] == "no: more.json"


@pytest.mark.parametrize("content", ["{}", "", "[]"])
def test_a_committed_file_that_cannot_be_read_is_named(content, grid):
    commit(grid)
    compute(grid, **LATER)
    RESULT.write_text(content)
    found = verify("quick")
    assert not found.good and found.agreeing == len(grid) - 1
    assert str(RESULT) in rows(found)[CELL][-1]


@pytest.mark.parametrize(("off", "agrees"), [(0.9, True), (-0.9, True), (1.1, False)])
def test_another_kind_of_machine_has_a_tolerance_in_px(off, agrees, grid):
    commit(grid, **ELSEWHERE)
    compute(grid, lambda cell: off * TOLERANCE_PX * (str(cell.path) == f"quick/{CELL}"))
    found = verify("quick")
    assert found.agreeing == len(grid) - (not agrees)
    _, _, difference, tolerance, said = rows(found)[CELL]
    assert difference == pytest.approx(abs(off) * TOLERANCE_PX)
    assert f"{TOLERANCE_PX} px" in tolerance
    assert said == ("yes" if agrees else f"no: {off * TOLERANCE_PX:.2f} px")


@pytest.mark.parametrize(("off", "agrees"), [(0.9, True), (1.1, False)])
def test_another_arithmetic_on_the_same_machine_has_a_tolerance_in_px(off, agrees, grid):
    commit(grid, arithmetic="bfloat16")
    compute(grid, lambda cell: off * TOLERANCE_PX, **LATER, arithmetic="float32")
    found = verify("quick")
    assert found.agreeing == (len(grid) if agrees else 0)
    _, _, _, tolerance, said = rows(found)[CELL]
    assert tolerance == f"computed in bfloat16 there and in float32 here: {TOLERANCE_PX} px"
    assert said == ("yes" if agrees else f"no: {off * TOLERANCE_PX:.2f} px")


def test_the_same_arithmetic_has_to_give_the_same_bytes(grid):
    commit(grid, arithmetic="bfloat16")
    compute(grid, lambda cell: 0.01, **LATER, arithmetic="bfloat16")
    assert verify("quick").agreeing == 0


def test_metrics_that_contradict_their_result_are_found_on_any_machine(grid):
    commit(grid, **ELSEWHERE)
    compute(grid)
    assert verify("quick").good
    forge(METRICS)
    assert rows(verify("quick"))[CELL][-1] == "no: metrics.json"


def test_the_error_of_a_single_dot_counts(grid):
    """Forged on another kind of machine: the mean over the dots is as it was."""
    commit(grid, **ELSEWHERE)
    compute(grid)
    content = json.loads(RESULT.read_text())
    content["pred"]["per_dot_px"]["action"] = 1.0
    RESULT.write_text(json.dumps(content))
    assert rows(verify("quick"))[CELL][-1] == "no: 3.00 px"


def test_a_verdict_that_changes_is_named(grid):
    """Each number is within its tolerance, but one is on the other side of a criterion."""
    half = 0.5 * CENTRE_PX  # the bound of "found"

    def near_half(shift):
        shifts = {"VICReg": half - 4.0 + shift, "RSSM": half - 4.0 - 0.1}
        return lambda cell: shifts.get(cell.model_type, 0) if "changing" in cell.family else 0

    commit(grid, near_half(-0.1), **ELSEWHERE)
    compute(grid, near_half(+0.1))
    found = verify("quick")
    assert found.agreeing == len(grid) and not found.good
    assert "and so does every verdict" not in found.in_words()
    assert found.verdicts
    for line in found.verdicts:
        assert line.startswith("changing-noise: ")
        assert line.endswith(": reproduced in git, not reproduced here")


def test_what_is_written_for_the_page_is_the_same_each_time(grid):
    commit(grid)
    compute(grid, **LATER)
    forge(METRICS)
    write_verified("quick")
    file = Path("results/verified/quick.json")
    before = file.read_bytes()
    content = json.loads(before)
    assert (content["compared"], content["agree"]) == (15, 14)
    assert content["other"] == {f"quick/{CELL}": ["metrics.json"]}
    write_verified("quick")
    assert file.read_bytes() == before


def verify_stage(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["verify.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "stages/verify.py"), run_name="__main__")
    return ended.value.code


def test_the_command_ends_with_1_unless_everything_agrees(grid, monkeypatch, capsys):
    commit(grid)
    assert verify_stage(monkeypatch, "quick") == 1
    compute(grid, **LATER)
    assert verify_stage(monkeypatch, "quick") == 0
    assert f"| quick/{CELL} | 4.0000 | 4.0000 | 0.0000 |" in capsys.readouterr().out
    forge(RESULT)
    assert verify_stage(monkeypatch, "quick") == 1
    assert "no: result.json" in capsys.readouterr().out
    assert verify_stage(monkeypatch, "quik") == 2
    assert "allowed: quick" in capsys.readouterr().err
