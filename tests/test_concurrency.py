"""Two commands at once in one checkout: nothing is lost, and the second waits or says why not."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from slow_features.errors import MachineError
from slow_features.locks import only_one
from slow_features.tracking.store import open_store
from tests.killed import Place, recorded
from tests.stage_processes import ForkedStage, Process, wait_until
from tests.test_pipeline import environment, make_clone, run

# --- trainings by hand ------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, empty_store):
    """A project with one experiment; the server of its forks has imported everything."""
    place = Place(tmp_path / "place", "VICReg", empty_store, epochs=2)
    ForkedStage(place.folder, "train", "--help").wait()
    return place


def test_the_same_training_twice_at_once(place, monkeypatch):
    """The second waits for the first; both end well, with one result and one run in MLflow."""
    place.finish()
    alone = place.results()
    place.forget()
    stages = [place.start() for _ in range(2)]
    codes = [stage.wait() for stage in stages]
    assert codes == [0, 0], "".join(stage.errors() for stage in stages)
    assert place.results() == alone
    assert not place.checkpoints()
    place.check_mlflow(monkeypatch)


def test_trainings_that_want_the_same_new_data_at_once(place):
    """One writes it; the others wait for it and read what it has written."""
    stages = [
        ForkedStage(place.folder, "train", "--no-probe", "--configs", "config.yaml",
                    "--values", f"output_path=runs/{n}", f"vicreg.sim_coeff={n + 1}",
                    before=slow_data)
        for n in range(3)
    ]  # fmt: skip
    codes = [stage.wait() for stage in stages]
    assert codes == [0, 0, 0], "".join(stage.errors() for stage in stages)
    written = [stage.errors().count("writes data") for stage in stages]
    assert sorted(written) == [0, 0, 1]
    assert len(list(place.folder.glob("runs/*/train/model.safetensors"))) == 3


def slow_data() -> None:
    """Make the writing of a data set long enough for the others to come by, and say so."""
    from slow_features.data import cache

    write = cache.write_dataset

    def slow(*arguments):
        os.write(2, b"writes data\n")
        time.sleep(1)
        write(*arguments)

    cache.write_dataset = slow


def test_a_long_wait_is_said(tmp_path, capfd):
    """As for a holder that was stopped (Ctrl-Z), which no waiting ends."""
    file = tmp_path / "lock"
    with only_one(file, "never raised"):
        with pytest.raises(MachineError, match="it is busy"), only_one(file, "it is busy", 0.1):
            pass
        assert capfd.readouterr().err == ""
        with pytest.raises(MachineError, match="it is busy"), only_one(file, "it is busy", 2.5):
            pass
        assert capfd.readouterr().err == f"waiting for {file}: it is busy\n"
    with only_one(file, "it is free again"):
        pass


# --- DVC --------------------------------------------------------------------------------------

REPRO = [sys.executable, "-m", "dvc", "repro", "experiment-probe"]
REPRODUCE = [sys.executable, "stages/reproduce.py", "--jobs", "2"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with nothing computed; each test takes a copy."""
    return make_clone(tmp_path_factory.mktemp("clone") / "clone")


@pytest.fixture
def folder(clone, tmp_path):
    return shutil.copytree(clone, tmp_path / "clone", symlinks=True)


def runs_in_mlflow(folder: Path, monkeypatch) -> list:
    monkeypatch.setenv("DVC_ROOT", str(folder))
    return open_store().find()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("wait_for", ["nothing", "training"])
def test_two_dvc_repro_at_once(wait_for, folder, tmp_path, clone, monkeypatch):
    """The second waits, or refuses and says that the first is at work; then all is in order."""
    first = Process(folder, REPRO, environment(folder))
    if wait_for == "training":
        wait_until(lambda: list(folder.glob(".checkpoints/*")) or first.ended())
    second = Process(folder, REPRO, environment(folder))
    codes = [first.wait(600), second.wait(600)]
    assert 0 in codes, first.errors() + second.errors()
    for code, process in zip(codes, (first, second), strict=True):
        assert "Traceback" not in process.errors()
        assert code == 0 or "lock" in process.errors() or "busy" in process.errors()
    run(folder, "dvc", "repro", "experiment-probe")
    assert "up to date" in run(folder, "dvc", "status", "experiment-probe").stdout
    alone = shutil.copytree(clone, tmp_path / "alone", symlinks=True)
    run(alone, "dvc", "repro", "-q", "experiment-probe")
    assert recorded(folder) == recorded(alone)
    (one,) = runs_in_mlflow(folder, monkeypatch)
    assert one.info.status == "FINISHED"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_second_reproduce_is_refused(folder):
    """It says so at once, and the first one does not notice."""
    first = Process(folder, REPRODUCE, environment(folder))
    wait_until(lambda: (folder / ".cells/reproduce.lock").exists() or first.ended())
    second = run(folder, *REPRODUCE, check=False)
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert second.stderr.startswith("error: another reproduce.py is at work in this checkout")
    assert first.wait(600) == 0, first.errors()
    assert "up to date" in run(folder, "dvc", "status").stdout
    run(folder, *REPRODUCE)  # the lock is free again


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_queue_of_experiments_with_two_workers(folder, monkeypatch):
    """Four experiments, two at a time, in copies of the checkout: four results, four runs."""
    settings = ["-S", "model_type=VICReg,SimCLR", "-S", "dataset_static_noise=0.5,1.25"]
    run(folder, "dvc", "exp", "run", "--queue", *settings, "experiment-probe")
    status = ""
    for _ in range(3):  # a worker of DVC's may stay idle: docs/pipeline.md
        run(folder, "dvc", "queue", "start", "-j", "2")
        status = wait_for_queue(folder, seconds=200)
        if not any(word in status for word in ("Queued", "Running")):
            break
        run(folder, "dvc", "queue", "stop")
    assert status.count("Success") == 4, status
    run(folder, "dvc", "queue", "stop")
    (baseline, *_) = json.loads(run(folder, "dvc", "exp", "show", "--json").stdout)[1:]
    metrics = [
        one["revs"][0]["data"]["metrics"]["results/probe/experiment/metrics.json"]["data"]
        for one in baseline["experiments"]
    ]
    assert len({json.dumps(values, sort_keys=True) for values in metrics}) == 4
    runs = runs_in_mlflow(folder, monkeypatch)
    assert [one.info.status for one in runs] == ["FINISHED"] * 4
    assert len({one.data.tags["identity"] for one in runs}) == 4


def wait_for_queue(folder: Path, seconds: float) -> str:
    """Wait until the queue is empty, or so many seconds; return its status."""
    end = time.monotonic() + seconds
    while True:
        status = run(folder, "dvc", "queue", "status").stdout
        left = any(word in status for word in ("Queued", "Running"))
        if not left or time.monotonic() > end:
            return status
        time.sleep(2)
