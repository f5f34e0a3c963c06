"""Results that were made without MLflow get their runs later, each one run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from slow_features import tracking
from slow_features.config.schema import Experiment
from slow_features.errors import MachineError
from slow_features.files import write_text
from slow_features.process import this_process
from slow_features.tracking import Entry, backfill
from slow_features.tracking.backfill import read_curve
from slow_features.tracking.mlflow_sink import MlflowSink
from slow_features.tracking.store import open_store


def entry(
    seed: int = 1, rmse: float = 4.0, losses: tuple[float, ...] = (3.0, 2.0, 1.0), **more
) -> Entry:
    """Write the files of one finished cell and describe it."""
    curve = Path(f"curve{seed}.csv")
    rows = [f"{step},0,{loss}" for step, loss in enumerate(losses)]
    write_text(curve, "\n".join(["step,epoch,loss", *rows, ""]))
    write_text(f"notes{seed}.txt", "hello")
    return Entry(
        config=Experiment(seed=seed, dataset_noise=0.5),
        stage="probe",
        identity=f"cell{seed}",
        metrics={"rmse_px": rmse, "rmse_by_step_px": [1.0, 2.0]},
        tags={"weights_checksum": "w1", "group": "quick"},
        curve=curve,
        artifacts=(Path(f"notes{seed}.txt"),),
        **more,
    )


def runs() -> dict[str, object]:
    found = open_store().find()
    by_identity = {run.data.tags["identity"]: run for run in found}
    assert len(by_identity) == len(found)
    return by_identity


def losses(identity: str) -> list[tuple[int, float]]:
    run_id = runs()[identity].info.run_id
    found = open_store().client.get_metric_history(run_id, "loss/loss")
    return sorted((point.step, point.value) for point in found)


def test_every_cell_gets_one_finished_run(store_root):
    assert backfill([entry(1), entry(2)]) == 2
    assert set(runs()) == {"cell1", "cell2"}
    run = runs()["cell1"]
    assert run.info.status == "FINISHED"
    assert run.data.tags["weights_checksum"] == "w1"
    assert run.data.tags["noise"] == "changing_uniform"
    assert run.data.params["dataset_noise"] == "0.5"
    assert run.data.metrics["error/rmse_px"] == 4.0
    assert losses("cell1") == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert list((store_root / "mlartifacts" / run.info.run_id).rglob("notes1.txt"))


def test_where_other_runs_were_written_is_not_said_of_this_one(store_root):
    """The settings of a cell name output_path and scale, but the grid does not use them."""
    backfill([entry(1)])
    data = runs()["cell1"].data
    assert not {"output_path", "scale", "run_name"} & (set(data.params) | set(data.tags))
    assert data.tags["probing_cfg.solver"] == "closed_form"


def test_a_run_lasts_as_long_as_the_training_did(store_root):
    backfill([entry(1, started="2024-01-01T10:00:00+00:00", seconds=90.0), entry(2, seconds=90.0)])
    first, second = (runs()[name].info for name in ("cell1", "cell2"))
    began = 1704103200_000
    assert (first.start_time, first.end_time) == (began, began + 90_000)
    assert second.end_time - second.start_time == 90_000
    assert abs(second.end_time / 1000 - time.time()) < 60
    curve = open_store().client.get_metric_history(first.run_id, "loss/loss")
    assert [point.timestamp - began for point in curve] == [0, 45_000, 90_000]
    assert backfill([entry(1, started="2024-01-01T10:00:00+00:00", seconds=90.0)]) == 0


def test_a_live_run_keeps_its_own_times(store_root):
    with tracking.run(Experiment(), stage="train", identity="cell1"):
        pass
    before = runs()["cell1"].info
    backfill([entry(1, started="2024-01-01T10:00:00+00:00", seconds=90.0)])
    after = runs()["cell1"].info
    assert (after.start_time, after.end_time) == (before.start_time, before.end_time)


def test_again_nothing_is_written(store_root):
    backfill([entry(1), entry(2)])
    before = {identity: run.info.run_id for identity, run in runs().items()}
    assert backfill([entry(1), entry(2), entry(3)]) == 1
    after = {identity: run.info.run_id for identity, run in runs().items()}
    assert before.items() <= after.items()


@pytest.mark.parametrize("change", [{"rmse": 3.0}, {"losses": (9.0, 8.0, 7.0)}])
def test_a_cell_that_was_redone_replaces_its_run(store_root, change):
    backfill([entry(1)])
    redone = entry(1, **change)
    assert backfill([redone]) == 1
    assert runs()["cell1"].data.metrics["error/rmse_px"] == redone.metrics["rmse_px"]
    expected = change.get("losses", (3.0, 2.0, 1.0))
    assert [value for _, value in losses("cell1")] == list(expected)


def test_a_live_run_keeps_what_it_has_and_gets_what_it_lacks(store_root):
    write_text("picture.txt", "only the live run has it")
    cell = entry(1)
    with (
        pytest.raises(ValueError),
        tracking.run(cell.config, stage="train", identity="cell1") as run,
    ):
        run.log_curve([{"step": 0, "epoch": 0, "loss": 3.0}])
        run.log_artifact("picture.txt")
        raise ValueError("died before the end")
    live = runs()["cell1"].info.run_id
    assert backfill([cell]) == 1
    assert backfill([cell]) == 0
    assert runs()["cell1"].info.run_id == live
    assert runs()["cell1"].info.status == "FINISHED"
    assert losses("cell1") == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert list((store_root / "mlartifacts" / live).rglob("picture.txt"))


def test_a_live_run_survives_a_kill_just_before_its_end(store_root, monkeypatch):
    """Else it went into MLflow's bin, and what the training had logged with it."""

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with tracking.run(Experiment(seed=1), stage="train", identity="cell1") as run:
        run.log_artifact("dvc.yaml")
    before = runs()["cell1"].info.run_id
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(MlflowSink, "finish", kill)
        backfill([entry(1)])
    ended = this_process().rpartition(":")[0] + ":0"
    open_store().client.set_tag(before, "process", ended)
    assert backfill([entry(1)]) == 1
    info = runs()["cell1"].info
    assert (info.run_id, info.status) == (before, "FINISHED")


def test_a_run_that_is_being_logged_is_left_alone(store_root):
    cell = entry(1)
    with tracking.run(cell.config, stage="train", identity="cell1"):
        assert backfill([cell]) == 0
        assert runs()["cell1"].info.status == "RUNNING"
    assert backfill([cell]) == 1


def test_after_a_failure_it_goes_on_where_it_was(store_root):
    broken = entry(2)
    Path("notes2.txt").unlink()
    with pytest.raises(MachineError, match=r"notes2\.txt"):
        backfill([entry(1), broken])
    assert set(runs()) == {"cell1"}
    assert backfill([entry(1), entry(2)]) == 1
    assert set(runs()) == {"cell1", "cell2"}


def test_a_model_that_does_not_train_has_no_curve(store_root):
    cell = Entry(Experiment(model_type="Random"), "probe", "abc", {"rmse_px": 7.4}, {})
    assert backfill([cell]) == 1
    assert runs()["abc"].data.metrics == {"error/rmse_px": 7.4}


def test_the_origin_is_the_result_s_and_not_this_process_s(store_root, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "another")
    backfill([entry(1)])
    assert not {"git_revision", "dvc_experiment", "process"} & set(runs()["cell1"].data.tags)


def test_empty_cells_of_a_curve_are_left_out(tmp_root):
    write_text("curve.csv", "step,loss,kl\n0,1.5,\n1,1.25,3\n")
    assert read_curve(Path("curve.csv")) == [
        {"step": 0.0, "loss": 1.5},
        {"step": 1.0, "loss": 1.25, "kl": 3.0},
    ]
