"""The benchmark measures what it says: in turns, with the right arithmetic, whole tables."""

from __future__ import annotations

import csv
import json
import re
import time
import timeit
from pathlib import Path
from statistics import median

import pytest
import torch

from benchmarks import compiled, learning_curve, ours, precision, run, turns
from benchmarks.budget import TINY
from benchmarks.flops import flops_per_sequence
from benchmarks.requests import config_of, values, write_data
from benchmarks.trainings import Training, run_missing
from slow_features.data.store import open_dataset
from slow_features.grid.cells import cells_of
from slow_features.grid.run import stored
from slow_features.results.files import Place
from slow_features.training.session import start_session
from tests.fake_results import write_fake_cell

ROOT = Path(__file__).parents[1]
PERFORMANCE = ROOT / "docs/performance.md"


class FakeSide:
    """A side of ten units a call whose blocks take a known time and leave a trace."""

    def __init__(self, name, seconds, trace):
        self.name, self.seconds, self.trace = name, seconds, trace

    def block(self, count):
        self.trace.append((self.name, count))
        return {"seconds": self.seconds * count, "megabytes": 1.0}

    def rate(self, seconds, count):
        return 10 * count / seconds


def test_sides_take_turns_and_blocks_last_as_long_as_asked():
    trace = []
    sides = {"slow": FakeSide("slow", 2.0, trace), "fast": FakeSide("fast", 0.5, trace)}
    results = turns.take_turns(sides, rounds=3, block_seconds=1.0)
    assert trace[4:] == [("slow", 1), ("fast", 2)] * 3
    assert results["slow"]["median"] == pytest.approx(5.0)
    assert results["fast"]["median"] == pytest.approx(20.0)
    assert turns.ratio(results, "fast", "slow")["median"] == pytest.approx(4.0)


def test_no_more_than_two_rounds_when_time_is_up():
    trace = []
    sides = {"only": FakeSide("only", 1.0, trace)}
    results = turns.take_turns(sides, rounds=5, block_seconds=1.0, point_seconds=-1.0)
    assert len(results["only"]["rates"]) == 2


def test_ratio_is_of_neighbouring_blocks():
    """A load that slows both sides in one round must not show in the ratio."""
    results = {"fast": {"rates": [40.0, 4.0, 40.0]}, "slow": {"rates": [10.0, 1.0, 10.0]}}
    found = turns.ratio(results, "fast", "slow")
    assert (found["lowest"], found["median"], found["highest"]) == (4.0, 4.0, 4.0)


@pytest.mark.parametrize("form", ["slow", "ours"])
def test_convolutions_are_counted_as_on_paper(form):
    """Forward, and backward twice that; the first layer's frames need no gradient."""
    config = config_of(["model_type=VICReg", "dataset_batch_size=4"])
    first = 2 * 25 * 1 * 32 * 14 * 14
    later = 2 * 25 * 32 * 64 * 7 * 7 + 2 * 9 * 64 * 64 * 7 * 7
    counted = flops_per_sequence(config, form)["convolution"]
    assert counted == 17 * (2 * first + 3 * later)


def test_the_benchmark_runs_and_writes_the_documented_keys(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "QUICK", TINY)
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["run", "--quick", "--name", "smoke"])
    run.main()
    found = json.loads((tmp_path / "smoke.json").read_text())
    documented = re.findall(r"^\| `(\w+)` \|", PERFORMANCE.read_text(), re.MULTILINE)
    assert set(found) == set(documented)
    (point,) = found["steps"]
    assert all(side["median"] > 0 for side in point["sequences_per_second"].values())
    shown = capsys.readouterr().out
    assert "**Times faster than the straightforward form**" in shown
    assert "| VICReg | 4 |" in shown


def test_a_learning_curve_follows_the_cell_with_the_changes_asked_for():
    found = learning_curve.settings(learning_curve.CELL, 7, ["dataset_batch_size=16"])
    cell = learning_curve.find_cell(learning_curve.CELL).config
    changed = cell.rssm.model_copy(update={"epochs": 7})
    assert found == cell.model_copy(update={"rssm": changed, "dataset_batch_size": 16})


@pytest.fixture
def tiny_curve():
    """Settings of a training of two short epochs, read before a test leaves this checkout."""
    tiny = ["dataset_size=32", "dataset_batch_size=16", "val_dataset_size=32", "n_steps=3"]
    tiny += ["probing_cfg.sequences=32", "rssm.embedding_size=8", "val_n_steps=3"]
    return learning_curve.settings(learning_curve.CELL, 2, tiny)


def test_a_learning_curve_has_a_row_for_every_epoch(tiny_curve, tmp_root, monkeypatch):
    monkeypatch.setattr(learning_curve, "FILE", tmp_root / "curve.csv")
    learning_curve.follow(tiny_curve)
    first, last = csv.DictReader(learning_curve.FILE.open())
    assert (first["sequences"], last["sequences"]) == ("32", "64")
    assert 0 < float(last["rmse_px"]) < 100
    learning_curve.draw()
    assert (tmp_root / "curve.png").stat().st_size > 5000


def test_compiling_is_charged_with_what_it_costs(monkeypatch, tmp_path):
    """Without a compiler's minutes: a `compile` that only takes its time at the first step."""
    write_data(TINY, tmp_path / "data", 16)
    texts = values(TINY, "VICReg", 4, "threads=1")

    def compile_slowly(module):
        forward = module.forward

        def first(frames):
            time.sleep(0.5)
            module.forward = forward
            return forward(frames)

        module.forward = first

    monkeypatch.setattr("torch.nn.Module.compile", compile_slowly)
    step = ours.compiled_training_step(config_of(texts), open_dataset(tmp_path / "data"))
    found = {"first": timeit.timeit(step, number=1)}
    found["compiled"] = found["eager"] = median(timeit.repeat(step, number=1, repeat=3))
    assert found["first"] > 0.5 > found["compiled"] > 0
    shown = compiled.table({"float32": [found | {"first": 20.0}, found | {"eager": 0.002}]})
    assert shown.splitlines()[-1].startswith("| float32 | 2 | ")
    assert "| 20.0 |" in shown


@pytest.mark.parametrize(
    ("form", "type_of_layer"),
    [("training_step", torch.float32), ("rounded_training_step", torch.bfloat16)],
)
def test_the_two_sides_of_the_last_layer_compute_it_differently(
    form, type_of_layer, monkeypatch, tmp_path
):
    write_data(TINY, tmp_path / "data", 16)
    texts = values(TINY, "VICReg", 4, "threads=1", "precision=bfloat16")
    sessions, types = [], []
    started = lambda *settings: sessions.append(start_session(*settings)) or sessions[-1]  # noqa: E731
    monkeypatch.setattr(ours, "start_session", started)
    step = getattr(ours, form)(config_of(texts), open_dataset(tmp_path / "data"))
    layer = sessions[0].model.encoder.linear
    layer.register_forward_hook(lambda module, args, output: types.append(output.dtype))
    step()
    assert set(types) == {type_of_layer}


@pytest.fixture
def both(tmp_root):
    """Made-up results of the scale `seeds`: as it asks for them, and 0.1 px lower in float32."""
    for name in ("grids.yaml", "reproduce_configs"):
        (tmp_root / name).symlink_to(ROOT / name)
    cells = cells_of(precision.SCALE)
    for cell in cells:
        error = 4.54 + 0.1 * cell.seed if precision.is_trained(cell) else 7.5
        write_fake_cell(stored(cell).place, cell.config, error)
        if precision.is_trained(cell):
            exact = Place.below(precision.in_float32(tmp_root, cell).folder)
            write_fake_cell(exact, cell.config, 4.44 + 0.1 * cell.seed)
    return tmp_root, cells


def test_precision_compares_every_trained_cell_with_its_own_in_float32(both):
    folder, cells = both
    trained = [cell for cell in cells if precision.is_trained(cell)]
    assert {cell.config.precision for cell in trained} == {"auto"}
    assert precision.in_float32(folder, trained[0]).values == ("precision=float32",)
    exact, rounded = map(precision.errors_of, precision.both_sides(folder, cells))
    assert len(exact) == 5 + 5 + 2 + 1, "changing, fixed, control, remedy"
    numbers = "4.64 (4.54, 4.64, 4.74) | 4.74 (4.64, 4.74, 4.84) | +0.10 | 0.25 |"
    lines = precision.table(exact, rounded).splitlines()
    assert f"| VICReg fixed uniform 1.25 control | {numbers}" in lines
    assert precision.too_far(exact, rounded) == []


def test_a_verdict_that_precision_changes_is_named(both):
    """0.1 px decide here: half of the error of the centre, the bound of "found", is at 4.7 px."""
    changed = precision.changed_verdicts(*precision.both_sides(*both))
    assert changed
    assert all(line.endswith(" in bfloat16") and " in float32, " in line for line in changed)


@pytest.mark.parametrize(("moved", "far"), [(0.24, False), (-0.26, True)])
def test_a_mean_may_move_by_the_margin_or_the_range_of_the_seeds(moved, far):
    near = {"a cell": [2.0, 2.1, 2.2]}
    assert bool(precision.too_far(near, {"a cell": [2.1 + moved] * 3})) == far
    wide = {"a cell": [1.8, 2.1, 2.4]}
    assert not precision.too_far(wide, {"a cell": [2.1 + moved] * 3})


def test_only_what_is_missing_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))  # no run or data set of it in this checkout
    few = ("dataset_size=16", "dataset_batch_size=16", "val_dataset_size=32", "n_steps=3")
    few += ("val_n_steps=3", "probing_cfg.sequences=32")
    cell = "quick/Random/changing_uniform/alpha1.5-published-seed1"
    tiny = Training(cell, (*few, "random.embedding_size=8"), tmp_path / "tiny")
    run_missing([tiny], 1)
    assert tiny.finished
    assert tiny.read("probe/result.json")["embedding_size"] == 8
    assert "1 done" in capsys.readouterr().err
    wrong = Training(cell, ("seed=none",), tmp_path / "wrong")
    with pytest.raises(SystemExit, match=r"wrong: exit 2: error: .*seed = 'none'"):
        run_missing([tiny, wrong], 1)
    assert "1 done" not in capsys.readouterr().err
