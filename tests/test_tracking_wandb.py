"""`wandb: true` mirrors a run to Weights & Biases; without the package it says what to do."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from slow_features import tracking
from slow_features.config.schema import Experiment
from slow_features.errors import MachineError
from slow_features.tracking.store import open_store

CONFIG = Experiment(wandb=True, run_group="quick")


class StandIn:
    """Records what the real package would be told."""

    def __init__(self, folder):
        self.started, self.rows, self.saved, self.ended = [], [], [], []
        self.summary, self.dir = {}, str(folder)

    def init(self, **options):
        self.started.append(options)
        return self

    def log(self, values, step=None):
        self.rows.append((step, values))

    def save(self, path, base_path, policy):
        self.saved.append((path, base_path))

    def finish(self, exit_code):
        self.ended.append(exit_code)


@pytest.fixture
def wandb(store_root, monkeypatch):
    (store_root / "wandb").mkdir()
    stand_in = StandIn(store_root / "wandb")
    module = SimpleNamespace(init=stand_in.init, Image=lambda path: ("image", path))
    monkeypatch.setitem(sys.modules, "wandb", module)
    return stand_in


def track(**options):
    return tracking.run(CONFIG, stage="train", identity="abc", **options)


def test_the_same_goes_to_both(wandb, store_root):
    with track(from_scratch=True) as run:
        run.log_curve([{"step": 1, "epoch": 0, "loss": 2.0}, {"step": 2, "epoch": 0, "loss": 1.0}])
        run.log_metrics({"rmse_px": 3.5})
        run.log_artifact("dvc.yaml")
        (store_root / "curves.png").touch()
        run.log_artifact("curves.png")
    (options,) = wandb.started
    assert "Its settings are the defaults." in options["notes"]
    assert (options["id"], options["resume"], options["group"]) == ("abc", None, "quick")
    assert options["config"]["vicreg.base_lr"] == "0.2"
    assert wandb.rows[:2] == [(1, {"epoch": 0, "loss": 2.0}), (2, {"epoch": 0, "loss": 1.0})]
    assert wandb.rows[2] == (None, {"curves": ("image", "curves.png")})
    assert wandb.saved == [(f"{store_root}/wandb/dvc.yaml", f"{store_root}/wandb")]
    assert wandb.summary == {"rmse_px": 3.5}
    assert wandb.ended == [0]
    (run,) = open_store().find()
    assert run.data.metrics == {"run/epoch": 0.0, "loss/loss": 1.0, "error/rmse_px": 3.5}


def test_it_measures_the_machine_itself(wandb, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true")
    with track() as run:
        run.log_curve([{"step": 1, "loss": 2.0}])
    assert wandb.rows == [(1, {"loss": 2.0})]
    (found,) = open_store().find()
    assert "system/process_memory_megabytes" in found.data.metrics


def test_a_continued_run_keeps_its_id(wandb):
    with track():
        pass
    assert wandb.started[0]["resume"] == "allow"


def test_a_failed_run_says_so(wandb):
    with pytest.raises(ValueError), track():
        raise ValueError("no good")
    assert wandb.ended == [1]
    assert wandb.summary["failure"] == "train: ValueError: no good"


def test_one_tracker_s_failure_is_not_the_other_s(wandb, capfd):
    def unreachable(values, step=None):
        raise ConnectionError("no network")

    wandb.log = unreachable
    with track() as run:
        run.log_curve([{"step": 1, "loss": 2.0}])
    assert "Weights & Biases does not work (ConnectionError: no network)" in capfd.readouterr().err
    (found,) = open_store().find()
    assert found.data.metrics == {"loss/loss": 2.0}


def test_without_the_package_nothing_starts(store_root, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MachineError, match=r'pip install -e "\.\[wandb\]"'), track():
        raise AssertionError("the block must not run")
    assert open_store().find() == []


def test_a_refusal_names_the_ways_out(wandb, monkeypatch):
    def refuse(**_options):
        raise RuntimeError("No API key configured")

    monkeypatch.setattr(sys.modules["wandb"], "init", refuse)
    with pytest.raises(MachineError, match=r"No API key configured.*WANDB_MODE=offline"), track():
        raise AssertionError("the block must not run")


def test_the_real_package_works_offline(store_root, monkeypatch):
    pytest.importorskip("wandb.sdk", reason="the extra 'wandb' is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with track() as run:
        run.log_curve([{"step": 1, "loss": 2.0}])
        run.log_artifact("dvc.yaml")
    (folder,) = (store_root / "wandb").glob("offline-run-*-abc")
    assert (folder / "run-abc.wandb").stat().st_size > 0
    assert (folder / "files/dvc.yaml").exists()
