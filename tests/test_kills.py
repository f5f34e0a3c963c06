"""A training that was killed and started again ends with the bytes of one that never was.

The fast tests fork stages from a process that has imported everything; `make test-kills` (marker
slow) kills `python stages/train.py` as it is, at times from a seed.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from slow_features.tracking.store import open_store
from slow_features.weights import read_tensors
from tests.killed import KINDS, SURVIVED, Place, kill_at_random
from tests.stage_processes import ForkedStage, Stage, wait_until

EPOCHS = 10  # of the fast tests: enough for a kill to meet a checkpoint


@pytest.fixture
def make(tmp_path, empty_store):
    """Return what makes a place: make(name, kind, epochs=...)."""
    return lambda name, kind, **options: Place(tmp_path / name, kind, empty_store, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, empty_store):
    """An experiment that nobody has killed, and how long it took."""
    place = Place(tmp_path_factory.mktemp("never") / "killed", "VICReg", empty_store, EPOCHS)
    ForkedStage(place.folder, "train", "--help").wait()  # now the server has imported everything
    started = time.monotonic()
    place.finish()
    return place, time.monotonic() - started


def check_kills(killed: Place, whole: Place, kills: int, seconds: float, kind: str) -> None:
    """Kill at random, finish, and compare with what nobody has killed."""
    resumed = kill_at_random(killed, kills, seconds, seed=kind)
    resumed += "going on from step" in killed.finish()
    assert resumed > 0 or not killed.trains
    assert whole.results() == killed.results()
    assert not killed.checkpoints()


def test_three_kills_at_random(whole, make, monkeypatch, record_property):
    place, seconds = whole
    killed = make("killed", "VICReg", epochs=EPOCHS)
    check_kills(killed, place, 3, seconds, "VICReg")
    killed.check_mlflow(monkeypatch)
    record_property(SURVIVED[1], 3)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", KINDS)
def test_kills_at_random_of(kind, make, monkeypatch, record_property):
    """`python stages/train.py` itself, killed three times."""
    never, killed = (make(name, kind, epochs=40, launch=Stage) for name in ("never", "killed"))
    started = time.monotonic()
    never.finish()
    check_kills(killed, never, 3, time.monotonic() - started, kind)
    killed.check_mlflow(monkeypatch)
    record_property(SURVIVED[1], 3)


# --- kills in the middle of writing -----------------------------------------------------------


class KilledAt:
    """Kills its process at the n-th moment at which something on the disk is about to change."""

    def __init__(self, moment: int) -> None:
        self.left = moment

    def __call__(self) -> None:
        """Watch this process, which runs in the folder of the experiment."""
        self.home = str(Path.cwd())
        for name in ("fsync", "unlink", "rename", "replace", "rmdir", "mkdir", "open"):
            setattr(os, name, self.counted(getattr(os, name)))

    def counted(self, action):
        def act(target, *arguments, **options):
            is_here = isinstance(target, int) or self.home in str(Path(target).absolute())
            if is_here or options.get("dir_fd") is not None:
                self.left -= 1
                if self.left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return action(target, *arguments, **options)

        return act


def check_moment(moment: int, whole: Place, killed: Place) -> bool:
    """Kill at a moment and run again; return whether the run had so many moments."""
    for name in (".cache", ".checkpoints", "runs"):
        shutil.rmtree(killed.folder / name, ignore_errors=True)
    ended = killed.start(before=KilledAt(moment)).wait()
    assert ended in (0, -signal.SIGKILL)
    for half in killed.folder.rglob("*.safetensors"):
        if not half.name.startswith("."):
            kind = "checkpoint" if "checkpoint" in half.name else "weights"
            read_tensors(half, f"slow-features {kind} 1")  # whole, or it raises
    killed.finish()
    assert whole.results() == killed.results()
    return ended != 0


def test_killed_at_some_moments_of_writing(whole, make, record_property):
    place = make("killed", "VICReg", epochs=EPOCHS)
    assert all(check_moment(moment, whole[0], place) for moment in (31, 52, 85))
    record_property(SURVIVED[1], 3)


PARTS = 8  # of the moments: each is a test of a minute


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_every_moment_of_writing(part, make, record_property):
    """Each open, fsync, rename and removal of a whole run, one after the other."""
    whole, killed = (make(name, "VICReg", epochs=2) for name in ("whole", "killed"))
    whole.finish()
    kills = 0
    while check_moment(1 + part + PARTS * kills, whole, killed):
        kills += 1
    assert kills > 80 / PARTS
    record_property(SURVIVED[1], kills)


# --- signals that ask to stop -----------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_stop(number, whole, make, monkeypatch, record_property):
    """It writes a checkpoint within a step, says how to go on, and MLflow knows."""
    place = make("asked", "VICReg", epochs=EPOCHS)
    stage = place.start()
    wait_until(lambda: place.checkpoints() or stage.ended())
    before = place.checkpoints()[0].stat().st_mtime_ns
    assert stage.kill(number) == 128 + number
    last = stage.errors().splitlines()[-1]
    assert last.startswith("stopped: step ") and "is done and kept; to go on: python " in last
    assert last.endswith("stages/train.py --configs config.yaml")
    assert place.checkpoints()[0].stat().st_mtime_ns > before
    monkeypatch.setenv("DVC_ROOT", str(place.folder))
    (run,) = open_store().find()
    assert run.info.status == "KILLED"
    assert "going on from step" in place.finish()
    assert place.results() == whole[0].results()
    place.check_mlflow(monkeypatch)
    record_property(SURVIVED[0], 1)


def test_a_training_under_nohup_outlives_its_terminal(whole, make):
    place = make("nohup", "VICReg", epochs=EPOCHS)
    stage = place.start(before=ignore_hangup)
    wait_until(lambda: place.checkpoints() or stage.ended())
    assert stage.kill(signal.SIGHUP) == 0, stage.errors()
    assert place.results() == whole[0].results()


def ignore_hangup() -> None:
    """Do what nohup does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_stop_before_the_training(number, make):
    """While it still imports or writes data, there is nothing to keep: one line, and the code."""
    place = make("asked", "VICReg", epochs=EPOCHS)
    stage = place.start(before=stop_in_the_data)
    wait_until(lambda: "here" in stage.errors() or stage.ended())
    assert stage.kill(number) == 128 + number
    name = "Ctrl-C" if number == signal.SIGINT else number.name
    assert stage.errors().splitlines()[1:] == [
        f"stopped by {name}; to go on: python {Path(__file__).parents[1]}/stages/train.py "
        "--configs config.yaml"
    ]
    assert not list(place.folder.rglob("*.npy")) and not place.checkpoints()


def stop_in_the_data() -> None:
    """Make the first training sequence take a minute."""
    from slow_features.data import store

    def slow(*_):
        os.write(2, b"here\n")
        time.sleep(60)

    store.sample = slow
