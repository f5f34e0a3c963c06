"""Experiments in places of their own, to be killed and started again, and what must come out."""

from __future__ import annotations

import csv
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import yaml

from slow_features.tracking.store import open_store
from tests.stage_processes import STAGES, ForkedStage, Process, Stage, wait_until

SURVIVED = ("stop signals survived", "SIGKILLs survived")  # what tests count for the summary
TINY = {
    "dataset_noise": 1.5, "dataset_batch_size": 16, "dataset_size": 64, "val_dataset_size": 32,
    "n_steps": 5, "val_n_steps": 5, "threads": 1, "probing_cfg": {"sequences": 64},
}  # fmt: skip
SIZES = {"embedding_size": 16, "backbone_width_factor": 1}
RESULTS = (
    "train/model.safetensors", "train/curves.csv", "train/train.json", "probe/result.json",
    "probe/metrics.json", "probe/paths.json", "probe/rmse_by_step.csv", "probe/dynamics.json",
)  # fmt: skip


def recorded(folder: Path) -> dict[str, bytes]:
    """Return the bytes of what git keeps of the experiment; the weights are in it by checksum."""
    names = [Path(name) for name in RESULTS if not name.endswith(".safetensors")]
    results = folder / "results"
    return {str(n): (results / n.parent / "experiment" / n.name).read_bytes() for n in names}


def settings(model: str, section: dict | None = None, **others) -> dict:
    """Return the settings of a tiny experiment."""
    return {**TINY, "model_type": model, **others, model.lower(): {**SIZES, **(section or {})}}


THREE = {"dataset_type": "Multiple"}
KINDS = {
    "VICReg": settings("VICReg"),
    "VICReg, every term": settings("VICReg", {"action_coeff": 1.0, "backbone_mlp": 8}),
    "VICReg, three dots": settings("VICReg", {"channels": 3}, **THREE),
    "SimCLR": settings("SimCLR"),
    "SimCLR, three dots": settings("SimCLR", {"channels": 3}, **THREE),
    "SimCLR, fixed structured noise": settings(
        "SimCLR", dataset_noise=0.0, dataset_static_noise=1.0, dataset_structured_noise=True),
    "RSSM": settings("RSSM"),
    "RSSM, three dots, structured noise": settings(
        "RSSM", {"channels": 3}, dataset_structured_noise=True, **THREE),
    "IDM": settings("IDM", dataset_noise=0.0, dataset_static_noise=1.25),
    "IDM, three dots": settings("IDM", {"channels": 3}, **THREE),
    "Supervised": settings("Supervised", {"rnn_layers": 2}),
    "Supervised, three dots": settings("Supervised", {"channels": 3}, **THREE),
    "Random": settings("Random"),
    "Random, three dots": settings("Random", {"channels": 3}, **THREE),
}  # fmt: skip


def with_epochs(kind: str, epochs: int) -> dict:
    """Return the settings of a kind, to be trained for so many epochs."""
    config = KINDS[kind]
    section = config["model_type"].lower()
    return {**config, section: {**config[section], "epochs": epochs}}


class Killable:
    """A stage in a folder that is a project of its own, killed and started again."""

    def __init__(self, folder: Path, *line: str, launch: type[Stage] = ForkedStage) -> None:
        self.folder, self.line, self.launch, self.trains = folder, line, launch, True

    def start(self, **options) -> Stage:
        """Start the stage."""
        return self.launch(self.folder, *self.line, **options)

    def forget(self) -> None:
        """Remove all that a run leaves but for MLflow's store."""
        for name in (".cache", ".cells", ".checkpoints", "runs"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def finish(self) -> str:
        """Run to the end and return what was printed."""
        stage = self.start()
        assert stage.wait() == 0, stage.errors()
        return stage.errors()

    def checkpoints(self) -> list[Path]:
        """Return the checkpoints, one at most."""
        return list(self.folder.glob(".checkpoints/*/checkpoint.safetensors"))


class Place(Killable):
    """A project of its own with one experiment, which `stages/train.py` trains and probes."""

    def __init__(
        self, folder: Path, kind: str, store: Path, epochs: int, launch: type[Stage] = ForkedStage
    ) -> None:
        super().__init__(folder, "train", "--configs", "config.yaml", launch=launch)
        folder.mkdir()
        shutil.copy(store, folder / "mlflow.db")  # empty; to make it takes longer than a training
        (folder / "dvc.yaml").touch()
        (folder / "config.yaml").write_text(yaml.safe_dump(with_epochs(kind, epochs)))
        self.trains = KINDS[kind]["model_type"] != "Random"

    def results(self) -> dict[str, bytes]:
        """Return the bytes of every result."""
        return {name: (self.folder / "runs/experiment" / name).read_bytes() for name in RESULTS}

    def check_mlflow(self, monkeypatch) -> None:
        """Check that MLflow has one run, with the curve as it is in the file, no step twice."""
        monkeypatch.setenv("DVC_ROOT", str(self.folder))
        store = open_store()
        (run,) = store.find()
        assert run.info.status == "FINISHED"
        with (self.folder / "runs/experiment/train/curves.csv").open(newline="") as file:
            curve = [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(file)]
        history = store.client.get_metric_history(run.info.run_id, "loss/loss")
        assert sorted((point.step, point.value) for point in history) == curve


def kill_at_random(place: Killable, times: int, whole_seconds: float, seed: str) -> int:
    """Start the stage and kill it, so many times; return how often it went on from a step.

    What trains is killed on until a kill has left a checkpoint, however the moments fall. The
    moment is uniform over a whole run, or, every second time, over the tenth of a run that follows
    a checkpoint. A run that ends before its moment comes is started afresh.
    """
    draw, killed, resumed = random.Random(seed), 0, 0
    met = not place.trains
    while killed < times or not met:
        stage = place.start()
        span = whole_seconds
        if killed % 2 and place.trains:
            wait_until(lambda stage=stage: place.checkpoints() or stage.ended())
            span /= 10
        end = time.monotonic() + draw.uniform(0, span)
        while time.monotonic() < end and not stage.ended():
            time.sleep(0.001)
        if not stage.ended() and stage.kill() == -signal.SIGKILL:
            killed += 1
            met = met or bool(place.checkpoints())
        else:
            assert stage.wait() == 0, stage.errors()
            place.forget()
        resumed += "going on from step" in stage.errors()
    return resumed


_RUNNER = """
from slow_features.errors import exit_with_message
from slow_features.grid.cells import cells_of
from slow_features.grid.machines import Machines
from slow_features.grid.run import run_missing
exit_with_message(lambda: run_missing(cells_of("quick"), {machines}))
"""
_GRID = {
    "families": ["changing_uniform"],
    "models": ["VICReg", "SimCLR", "IDM"],
    "quick": {"seeds": [1], "levels": {"changing_uniform": ["1.5"]}},
}


class Grid:
    """A project of its own with a grid of three cells, and a process that runs them."""

    def __init__(self, folder: Path, epochs: int = 40) -> None:
        self.folder = folder
        (folder / "reproduce_configs").mkdir(parents=True)
        (folder / "dvc.yaml").touch()
        (folder / "stages").symlink_to(STAGES)
        (folder / "grids.yaml").write_text(yaml.safe_dump(_GRID))
        for model in _GRID["models"]:
            text = yaml.safe_dump(settings(model, {"epochs": epochs}))
            (folder / "reproduce_configs" / f"{model.lower()}.yaml").write_text(text)

    def start(
        self, machines: str = "Machines(jobs=2)", environment: dict[str, str] | None = None
    ) -> Process:
        """Start the runner."""
        command = [sys.executable, "-c", _RUNNER.format(machines=machines)]
        return Process(self.folder, command, environment)

    def checkpoints(self) -> list[Path]:
        """Return the checkpoints of cells under way."""
        return list(self.folder.glob(".checkpoints/*/checkpoint.safetensors"))

    def results(self) -> dict[str, bytes]:
        """Return the bytes of all finished cells, but for their runs and their locks."""
        return results_in(self.folder)

    def logs(self) -> str:
        """Return what the cells have printed."""
        return "".join(file.read_text() for file in self.folder.glob(".cells/logs/**/*.log"))


def results_in(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all finished cells in a project's store, but for their runs."""
    store = folder / ".cells"
    files = [file for part in ("train", "probe-*") for file in store.glob(f"*/{part}/*")]
    return {
        str(file.relative_to(store)): file.read_bytes()
        for file in files
        if file.name not in ("run.json", "sha256.json")
    }
