"""The benchmark measures what it says: in turns, with the right arithmetic, whole tables."""

from __future__ import annotations

import csv
import json
import re
import shutil
import time
import timeit
from pathlib import Path
from statistics import median

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks import compiled, learning_curve, ours, precision, rounding, run, turns
from benchmarks.budget import TINY
from benchmarks.flops import flops_per_sequence
from benchmarks.requests import config_of, values, write_data
from benchmarks.trainings import Training, run_missing
from slow_features.data.store import open_dataset
from slow_features.grid.cells import cells_of
from slow_features.grid.engine import State
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
    others = {"dataset_batch_size": 16, "n_steps": 17}
    assert found == cell.model_copy(update={"rssm": changed, **others})


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


@pytest.fixture(params=[True, False], ids=["bfloat16 here", "float32 here"])
def both(tmp_root, monkeypatch, request):
    """Made-up results of the scale `seeds`, on either kind of machine: 0.1 px lower in float32."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda: request.param)
    for name in ("grids.yaml", "reproduce_configs"):
        (tmp_root / name).symlink_to(ROOT / name)
    cells = cells_of(precision.SCALE)
    for cell in cells:
        exact, rounded = 4.44 + 0.1 * cell.seed, 4.54 + 0.1 * cell.seed
        asked, other = (rounded, exact) if request.param else (exact, rounded)
        trained = precision.is_trained(cell)
        write_fake_cell(stored(cell).place, cell.config, asked if trained else 7.5)
        if trained:
            place = Place.below(precision.in_the_other(tmp_root, cell).folder)
            write_fake_cell(place, cell.config, other)
    return tmp_root, cells


def test_precision_compares_every_trained_cell_in_both_arithmetics(both):
    folder, cells = both
    trained = [cell for cell in cells if precision.is_trained(cell)]
    assert {cell.config.precision for cell in trained} == {"auto"}
    exact, rounded = map(precision.errors_of, precision.both_sides(folder, cells))
    assert len(exact) == 5 + 5 + 2 + 1, "changing, fixed, control, remedy"
    numbers = "4.64 (4.54, 4.64, 4.74) | 4.74 (4.64, 4.74, 4.84) | +0.10 | 0.25 |"
    lines = precision.table(exact, rounded).splitlines()
    assert f"| VICReg fixed uniform 1.25 control | {numbers}" in lines
    assert precision.too_far(exact, rounded) == []


@pytest.mark.parametrize(
    ("here", "setting", "script"),
    [
        (True, "precision=float32", "stages/train.py"),
        (False, "precision=bfloat16", "benchmarks.rounding"),
    ],
)
def test_precision_trains_what_this_machine_does_not_take_by_itself(
    here, setting, script, monkeypatch, tmp_path
):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: here)
    training = precision.in_the_other(tmp_path, cells_of(precision.SCALE)[0])
    assert training.values == (setting,)
    assert script in training.job().arguments


def test_precision_runs_what_is_missing_as_many_at_once_as_asked(both, monkeypatch):
    folder, cells = both
    shutil.rmtree(stored(cells[0]).place.probe)
    started = []

    def run_jobs(jobs, machines, progress):
        started.append((len(jobs), machines.jobs))
        return State([])

    for where in ("slow_features.grid.run", "benchmarks.trainings"):
        monkeypatch.setattr(f"{where}.run_jobs", run_jobs)
    monkeypatch.setattr("slow_features.grid.run.prepare_data", lambda configs: None)
    precision.train_missing(folder, cells, 3)
    assert started == [(1, 3), (0, 3)]


@pytest.mark.parametrize("part", ["output", "maps", "weight", "matrix"])
def test_an_emulated_product_is_that_of_bfloat16(part):
    """Against torch's own kernels for a processor without bfloat16, which are slow and right."""

    def products():
        generator = torch.Generator().manual_seed(1)
        draw = lambda *shape: torch.randn(*shape, generator=generator).bfloat16().requires_grad_()  # noqa: E731
        maps, weight, matrix = draw(4, 3, 6, 6), draw(5, 3, 3, 3), draw(36, 7)
        output = torch.conv2d(maps, weight, padding=1).flatten(2) @ matrix
        output.square().sum().backward()
        return {"output": output, "maps": maps.grad, "weight": weight.grad, "matrix": matrix.grad}

    own = products()[part].detach()
    with rounding.EmulatedProducts():
        emulated = products()[part].detach()
    assert emulated.dtype == torch.bfloat16
    error = (emulated.float() - own.float()).norm() / own.float().norm()
    assert error < 2**-8, "one rounding of bfloat16 is half of that, and there are several"


@pytest.mark.parametrize("model_type", ["VICReg", "SimCLR", "IDM", "RSSM", "Supervised"])
def test_no_product_of_a_training_escapes_the_emulation(model_type, tmp_path):
    """What reaches torch's kernels in bfloat16 is element by element, statistics and pooling."""
    write_data(TINY, tmp_path / "data", 16)
    texts = values(TINY, model_type, 4, "threads=1", "precision=bfloat16")
    step = ours.training_step(config_of(texts), open_dataset(tmp_path / "data"))
    with Names() as own:
        step()
    with Names() as emulated, rounding.EmulatedProducts():
        step()
    product = re.compile(r"aten\.(\w*(mm|conv|matmul|mv|dot|einsum)|linear)")
    assert any(map(product.match, own.names)), "without emulation there are such products"
    assert emulated.names
    assert [name for name in emulated.names if product.match(name)] == []


class Names(TorchDispatchMode):
    """Keeps the names of the operations that take a tensor of bfloat16."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if any(isinstance(a, torch.Tensor) and a.dtype == torch.bfloat16 for a in args):
            self.names.add(str(operation))
        return operation(*args, **(kwargs or {}))


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
