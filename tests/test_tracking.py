"""A training leaves one run in MLflow: whole, never doubled, with a true status at its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from slow_features import tracking
from slow_features.config.schema import Experiment
from slow_features.tracking.describe import describe, parameters
from slow_features.tracking.store import open_store

CONFIG = Experiment(model_type="VICReg", dataset_static_noise=1.25, seed=3)


def curve(first: int, last: int) -> list[dict[str, float]]:
    return [{"step": n, "epoch": n // 10, "loss": 1 / (n + 1)} for n in range(first, last)]


def track(config=CONFIG, identity="abc", **options):
    return tracking.run(config, stage="train", identity=identity, **options)


def the_run():
    (run,) = open_store().find()
    return run


def history(name: str) -> list[tuple[int, float]]:
    """Return the points of a metric by our name for it: those of a curve stand under loss/."""
    name = name if "/" in name else f"loss/{name}"
    found = open_store().client.get_metric_history(the_run().info.run_id, name)
    return sorted((metric.step, metric.value) for metric in found)


def expected(last: int) -> list[tuple[int, float]]:
    return [(row["step"], row["loss"]) for row in curve(0, last)]


class TestWhatIsLogged:
    def test_one_run_with_everything(self, store_root, monkeypatch):
        monkeypatch.setenv("DVC_EXP_NAME", "humid-hops")
        Path("notes.txt").write_text("hello")
        with track(tags={"data_checksum": "d1", "weights_checksum": None}) as run:
            run.log_curve(curve(0, 30))
            run.log_metrics({"rmse_px": 3.5, "rmse_by_step_px": [1.0, 2.0, 3.0]})
            run.log_artifact("notes.txt")
        found = the_run()
        assert found.info.status == "FINISHED"
        assert found.info.run_name == "VICReg fixed 1.25 s3"
        tags = {
            "model": "VICReg",
            "noise": "fixed_uniform",
            "alpha": "1.25",
            "seed": "3",
            "stage": "train",
            "identity": "abc",
            "data_checksum": "d1",
            "dvc_experiment": "humid-hops",
        }
        assert tags.items() <= found.data.tags.items()
        assert "weights_checksum" not in found.data.tags
        assert found.data.params == parameters(CONFIG)
        assert found.data.metrics["error/rmse_px"] == 3.5
        assert history("probe/rmse_by_step_px") == [(0, 1.0), (1, 2.0), (2, 3.0)]
        assert history("loss") == expected(30)
        assert history("run/epoch")[-1] == (29, 2)
        copy = store_root / "mlartifacts" / found.info.run_id / "artifacts/notes.txt"
        assert copy.read_text() == "hello"

    def test_parameters_are_those_of_the_chosen_model(self):
        found = parameters(Experiment(model_type="RSSM"))
        assert found["rssm.learning_rate"] == "0.0005"
        assert found["dataset_structured_noise_path"] == "null"
        assert {key.partition(".")[0] for key in found if "." in key} == {"rssm"}

    def test_the_settings_of_the_evaluation_are_tags(self):
        tags = describe(CONFIG, "train", "abc", {}).tags
        assert tags["probing_cfg.sequences"] == "10000"
        assert tags["probing_cfg.batch_size"] == "null"
        assert tags["val_n_steps"] == "17"
        assert not tags.keys() & parameters(CONFIG).keys() - {"seed"}

    def test_the_user_s_name_and_group(self):
        config = Experiment(run_name="mine", run_group="first try")
        description = describe(config, "train", "abc", {})
        assert description.name == "mine"
        assert description.tags["group"] == "first try"

    @pytest.mark.parametrize(
        ("variant", "name"),
        [
            ("published", "VICReg fixed 1.25 s3 quick"),
            ("control", "VICReg fixed 1.25 control s3 quick"),
            (None, "VICReg fixed 1.25 s3 quick"),
        ],
    )
    def test_the_name_tells_a_variant_before_legends_cut_it(self, variant, name):
        tags = {"variant": variant, "scale": "quick"}
        assert describe(CONFIG, "train", "abc", tags).name == name

    @pytest.mark.parametrize(
        ("settings", "name", "setting"),
        [
            ({}, "VICReg no noise s1", "changing_uniform 0"),
            ({"dataset_noise": 1.0}, "VICReg changing 1 s1", "changing_uniform 1"),
            (
                {"dataset_static_noise": 0.5, "dataset_structured_noise": True},
                "VICReg fixed images 0.5 s1",
                "fixed_structured 0.5",
            ),
            (
                {"dataset_type": "Multiple", "vicreg": {"channels": 3}},
                "VICReg 3 dots s1",
                "three_dots 0",
            ),
        ],
    )
    def test_settings_by_hand_are_named_as_in_the_grid(self, settings, name, setting):
        description = describe(Experiment(**settings), "train", "abc", {})
        assert (description.name, description.tags["setting"]) == (name, setting)

    def test_rows_are_held_back_and_never_lost(self, store_root):
        with track() as run:
            run.log_curve(curve(0, 10))
            assert history_or_nothing() == []
            run.flush()
            assert history("loss") == expected(10)
            run.log_curve(curve(10, 1500))
            assert history("loss") == expected(1500)
            run.log_curve(curve(1500, 1501))
        assert history("loss") == expected(1501)

    def test_mlflow_s_own_variables_do_not_matter(self, store_root, monkeypatch):
        monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "other")
        with track() as run:
            run.log_curve(curve(0, 3))
        assert history("loss") == expected(3)


def history_or_nothing() -> list[tuple[int, float]]:
    return history("loss") if "loss/loss" in the_run().data.metrics else []


class TestStatus:
    def test_an_exception_ends_it_as_failed_and_says_why(self, store_root):
        with pytest.raises(ValueError, match="not finite"), track() as run:
            run.log_curve(curve(0, 5))
            raise ValueError("the loss is\nnot finite")
        assert the_run().info.status == "FAILED"
        assert the_run().data.tags["failure"] == "train: ValueError: the loss is not finite"
        assert history("loss") == expected(5)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_an_interruption_ends_it_as_killed(self, store_root, error):
        with pytest.raises(error), track():
            raise error
        assert the_run().info.status == "KILLED"

    def test_sigterm_ends_it_as_killed(self, store_root):
        with pytest.raises(SystemExit) as caught, track() as run:
            run.log_curve(curve(0, 5))
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught.value.code == 128 + signal.SIGTERM
        assert the_run().info.status == "KILLED"
        assert history("loss") == expected(5)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    def test_a_handler_that_is_there_stays(self, store_root, monkeypatch):
        received = []
        signal.signal(signal.SIGTERM, lambda *_: received.append(True))
        try:
            with track():
                os.kill(os.getpid(), signal.SIGTERM)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert received == [True]
        assert the_run().info.status == "FINISHED"

    def test_works_outside_the_main_thread(self, store_root):
        def work():
            with track() as run:
                run.log_curve(curve(0, 5))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert history("loss") == expected(5)


KILLED = """
import time
from slow_features import tracking
from tests.test_tracking import curve, track
with track() as run:
    run.log_curve(curve(0, 40))
    run.flush()
    run.log_curve(curve(40, 60))
    print("ready", flush=True)
    time.sleep(60)
"""


def kill_a_training() -> None:
    """Log 40 steps, hold 20 back, and die of SIGKILL."""
    here = Path(__file__).parents[1]
    command = [sys.executable, "-c", KILLED]
    environment = {**os.environ, "PYTHONPATH": str(here)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as worker:
        assert worker.stdout.readline() == "ready\n"
        assert tracking.close_stale_runs() == 0  # it is alive
        worker.kill()


class TestAgain:
    """What happens when a run of the same identity is there already."""

    def test_a_killed_run_is_noticed_and_goes_on_without_gaps_or_doubles(self, store_root):
        kill_a_training()
        assert the_run().info.status == "RUNNING"
        assert tracking.close_stale_runs() == 1
        assert the_run().info.status == "KILLED"
        with track() as run:
            run.log_curve(curve(0, 50))  # what the checkpoint knows
            run.log_curve(curve(50, 80))
        assert the_run().info.status == "FINISHED"
        assert history("loss") == expected(80)
        assert tracking.close_stale_runs() == 0

    def test_a_step_is_logged_once_even_if_it_is_handed_over_twice(self, store_root):
        with track() as run:
            run.log_curve(curve(0, 20))
            run.log_curve(curve(0, 30))
            run.flush()
            run.log_curve(curve(0, 40))
        assert history("loss") == expected(40)

    def test_a_failed_run_that_goes_on_is_no_failure_any_more(self, store_root):
        with pytest.raises(ValueError), track():
            raise ValueError("no good")
        with track(tags={"data_checksum": "d2"}):
            pass
        assert the_run().info.status == "FINISHED"
        assert "failure" not in the_run().data.tags
        assert the_run().data.tags["data_checksum"] == "d2"

    def test_the_probe_adds_to_the_run_of_the_training(self, store_root):
        with track() as run:
            run.log_curve(curve(0, 10))
        for rmse in (4.0, 4.0, 3.0):
            with tracking.run(CONFIG, stage="probe", identity="abc") as run:
                run.log_metrics({"rmse_px": rmse})
        assert the_run().data.metrics["error/rmse_px"] == 3.0
        assert the_run().data.tags["stage"] == "probe"
        assert history("error/rmse_px") == [
            (0, 3.0),
            (0, 4.0),
        ]  # the same value is not logged again
        assert history("loss") == expected(10)

    def test_a_training_from_scratch_replaces_the_run(self, store_root):
        with track() as run:
            run.log_curve([{"step": 0, "loss": 99.0}])
        with track(from_scratch=True) as run:
            run.log_curve(curve(0, 5))
        assert history("loss") == expected(5)

    def test_another_identity_is_another_run(self, store_root):
        for identity in ("abc", "abd"):
            with track(identity=identity):
                pass
        assert {run.data.tags["identity"] for run in open_store().find()} == {"abc", "abd"}

    def test_settings_that_do_not_change_the_training_may_differ(self, store_root):
        with track():
            pass
        probe = CONFIG.probing_cfg.model_copy(update={"solver": "adam"})
        changes = {"output_path": "elsewhere", "val_dataset_size": 500, "probing_cfg": probe}
        with track(CONFIG.model_copy(update=changes)):
            pass
        tags = {
            "output_path": "elsewhere", "val_dataset_size": "500", "probing_cfg.solver": "adam",
        }  # fmt: skip
        assert tags.items() <= the_run().data.tags.items()
        assert the_run().data.params == parameters(CONFIG)


class TestATrackerThatFails:
    """It costs one line on stderr, never the training."""

    def test_a_broken_database(self, tmp_root, capfd):
        Path("mlflow.db").mkdir()
        with track() as run:
            run.log_curve(curve(0, 5))
            run.log_metrics({"rmse_px": 1.0})
            run.log_artifact("dvc.yaml")
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith("warning: MLflow does not work (MachineError: ")
        assert "mlflow.db is no file" in line
        assert "make mlflow" in line

    def test_a_failure_in_the_middle_is_told_once(self, store_root, capfd, monkeypatch):
        from mlflow.tracking import MlflowClient

        with track() as run:
            run.log_curve(curve(0, 5))
            run.flush()
            monkeypatch.setattr(MlflowClient, "log_batch", disk_is_full)
            for step in range(5, 8):
                run.log_curve(curve(step, step + 1))
                run.flush()
        (line,) = capfd.readouterr().err.splitlines()
        assert "OSError: database or disk is full" in line

    def test_a_missing_artifact(self, store_root, capfd):
        with track() as run:
            run.log_artifact("not_there.png")
        assert "not_there.png" in capfd.readouterr().err

    @pytest.mark.slow
    def test_a_locked_database_delays_but_does_not_stop(self, store_root, capfd):
        import sqlite3

        with track() as run:
            other = sqlite3.connect("mlflow.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            run.log_curve(curve(0, 5))
        other.close()
        assert "OperationalError: database is locked" in capfd.readouterr().err


def disk_is_full(*_arguments, **_options):
    raise OSError("database or disk is full")


def test_mlflow_is_not_imported_before_a_run_starts():
    code = (
        "import sys; from slow_features import tracking; "
        "print({'mlflow', 'torch', 'pandas'} & set(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout.strip() == "set()"
