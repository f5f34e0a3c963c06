"""What a run says of itself in MLflow: its data, a description, charts in sections, the machine."""

from __future__ import annotations

import json
import time

import psutil
import pytest

from slow_features import tracking
from slow_features.config.schema import Experiment
from slow_features.data.geometry import DOTS
from slow_features.grid.cells import cells_of
from slow_features.probe import metrics
from slow_features.results.track import EXPERIMENT_STAGE
from slow_features.tracking import machine_load
from slow_features.tracking.charts import HEADLINE, curve_name, metric_name
from slow_features.tracking.dataset import DIGEST_LENGTH
from slow_features.tracking.describe import describe
from slow_features.tracking.live import Run
from slow_features.tracking.store import open_store
from tests.fake_results import fake_dynamics, fake_result

CONFIG = Experiment(model_type="SimCLR", dataset_static_noise=1.25, simclr={"epochs": 2})
CHECKSUM = "0123456789abcdef" * 4


def the_run():
    (run,) = open_store().find()
    return run


# --- charts -----------------------------------------------------------------------------------


def order_of_charts(names: set[str]) -> list[str]:
    """Return metrics as MLflow 3 shows their charts: sections, and what is in them, by alphabet."""
    with_section = sorted({n.rpartition("/")[0] for n in names} - {""})
    return [n for s in [*with_section, ""] for n in sorted(names) if n.rpartition("/")[0] == s]


@pytest.mark.parametrize("dots", ["Single", "Multiple"])
def test_the_error_is_the_first_chart_and_each_number_has_a_section(dots):
    config = Experiment(dataset_type=dots, vicreg={"channels": 3 if dots == "Multiple" else 1})
    per_dot = dict.fromkeys(DOTS, 3.0)
    logged = fake_result(config, 3.0, per_dot if dots == "Multiple" else None).flat(
        fake_dynamics(3.0)
    )
    names = {metric_name(name) for name in [*logged, "rmse_by_step_px", "sequences_per_second"]}
    names |= {curve_name(name) for name in ("epoch", "loss", "sim", "a_new_term")}
    assert order_of_charts(names)[0] == HEADLINE
    assert all("/" in name for name in names)
    assert {"loss/loss", "loss/sim", "loss/a_new_term", "run/epoch"} <= names


def test_every_metric_of_the_table_is_known():
    assert {name for name in metrics.NAMES if metric_name(name) == name} == set()


def test_a_number_that_no_section_names_keeps_its_name():
    assert metric_name("something") == "something"


# --- the data set -----------------------------------------------------------------------------


def test_the_data_are_an_input_with_the_digest_of_their_description(store_root):
    for _ in range(2):  # the second time nothing is doubled
        with tracking.run(CONFIG, stage="train", identity="a", tags={"data_checksum": CHECKSUM}):
            pass
    (found,) = the_run().inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == (
        "Single fixed_uniform 1.25",
        CHECKSUM[:DIGEST_LENGTH],
    )
    assert [(tag.key, tag.value) for tag in found.tags] == [("mlflow.data.context", "training")]
    profile = json.loads(found.dataset.profile)
    assert profile["sha256"] == CHECKSUM
    assert (profile["frames"], profile["fixed_noise"]) == (17, 1.25)
    assert not (store_root / ".cache").exists()


def test_mlflow_itself_reads_where_the_data_come_from(store_root):
    from mlflow.data import get_source

    with tracking.run(CONFIG, stage="train", identity="a", tags={"data_checksum": CHECKSUM}):
        pass
    source = get_source(the_run().inputs.dataset_inputs[0])
    assert source.to_dict() == {"tags": {"mlflow.source.name": "stages/generate.py"}}


def test_without_a_checksum_there_is_no_input(store_root):
    with tracking.run(CONFIG, stage="train", identity="a"):
        pass
    assert the_run().inputs.dataset_inputs == []


# --- the description --------------------------------------------------------------------------


def test_a_run_says_what_it_is_and_what_was_typed(store_root, monkeypatch):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setattr("sys.argv", ["stages/train.py", "--values", "seed=1"])
    with tracking.run(CONFIG, stage="train", identity="a"):
        pass
    note = the_run().data.tags["mlflow.note.content"]
    noise = "noise that is fixed within a sequence (alpha 1.25, uniform)"
    assert note.startswith(f"SimCLR on one dot under {noise}, seed 1. ")
    assert "Its settings are the defaults, but for simclr.epochs = 2." in note
    assert note.endswith("To repeat it: `python stages/train.py --values seed=1`.")


def test_nothing_special_is_said_as_it_is():
    assert "Its settings are the defaults." in describe(Experiment(), "train", "a", {}).note


@pytest.mark.parametrize(
    ("stage", "tags"),
    [
        ("experiment-train", {"variant": "experiment", "scale": "quick"}),
        ("dvc.yaml:experiment-train", {"variant": "experiment", "scale": "quick"}),
        ("", {}),
    ],
)
def test_the_experiment_is_found_by_the_filter_of_the_grid(store_root, monkeypatch, stage, tags):
    monkeypatch.setenv("DVC_STAGE", stage)
    with tracking.run(CONFIG, stage="train", identity="a"):
        pass
    found = the_run().data.tags
    assert found["setting"] == "fixed_uniform 1.25"
    assert {key: found[key] for key in ("variant", "scale") if key in found} == tags
    assert EXPERIMENT_STAGE.startswith("experiment-")


def test_cells_have_names_of_their_own_within_what_legends_show():
    """No two of a scale share one, and what tells variants apart comes before it is cut."""
    cells = cells_of("remedies")
    names = [
        describe(cell.config, "train", "a", {"variant": cell.variant, "scale": cell.scale}).name
        for cell in cells
    ]
    assert len(set(names)) == len(names)
    assert all(name.endswith(" remedies") for name in names)
    for cell, name in zip(cells, names, strict=True):
        assert cell.variant == "published" or name.index(f" {cell.variant} ") <= 25


# --- the machine ------------------------------------------------------------------------------


class Heard:
    """A tracker that keeps the rows it is told."""

    name = "heard"

    def __init__(self):
        self.rows = []

    def log_curve(self, rows):
        self.rows += rows


def flush_after(seconds: float, monkeypatch) -> list[dict[str, float]]:
    """Return what a training logs that writes its curve so long after its start."""
    heard, began = Heard(), time.monotonic()
    run = Run([heard])
    monkeypatch.setattr(machine_load.time, "monotonic", lambda: began + seconds)
    run.log_curve([{"step": 5, "loss": 1.0}])
    run.flush()
    run.log_curve([{"step": 6, "loss": 1.0}])  # at once: no second look
    run.flush()
    return [row for row in heard.rows if "loss" not in row]


def test_a_short_training_is_not_measured(monkeypatch):
    monkeypatch.delenv(machine_load.ENABLE, raising=False)
    assert flush_after(60, monkeypatch) == []


def test_a_long_training_is_measured_where_it_writes_its_curve(monkeypatch):
    monkeypatch.delenv(machine_load.ENABLE, raising=False)
    (row,) = flush_after(machine_load.LONG_SECONDS + 1, monkeypatch)
    assert row.pop("step") == 5
    assert {curve_name(name) for name in row} == set(row)
    assert row["system/process_memory_megabytes"] > 1
    assert "system/cpu_utilization_percentage" in row


@pytest.mark.parametrize(("wanted", "looks", "seconds"), [("true", 1, 1), ("false", 0, 10_000)])
def test_mlflow_s_own_variable_decides(monkeypatch, wanted, looks, seconds):
    monkeypatch.setenv(machine_load.ENABLE, wanted)
    assert len(flush_after(seconds, monkeypatch)) == looks


@pytest.mark.parametrize("error", [PermissionError("no /proc"), psutil.AccessDenied()])
def test_a_machine_that_does_not_tell_costs_nothing(monkeypatch, error):
    def refuse():
        raise error

    monkeypatch.setenv(machine_load.ENABLE, "true")
    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    assert flush_after(1, monkeypatch) == []


def test_no_thread_is_started(store_root, monkeypatch):
    import threading

    monkeypatch.setenv(machine_load.ENABLE, "true")
    with tracking.run(CONFIG, stage="train", identity="a") as run:
        run.log_curve([{"step": 1, "loss": 2.0}])
        run.flush()
        names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if "ystem" in name]
    assert the_run().data.metrics["system/process_memory_megabytes"] > 1
