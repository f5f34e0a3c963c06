"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil
from collections import Counter

import pytest
from filelock import FileLock

_FOREIGN = ("DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "WANDB_MODE")


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_the_disk():
    """Here no file must outlive a loss of power; tests write thousands, and each would wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def tmp_root(tmp_path, monkeypatch):
    """A project of its own for a test: this checkout's store and checkpoints are out of reach."""
    for name in _FOREIGN:
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def made_once(tmp_path_factory, request):
    """Return `made_once(name, make)`: a folder that one of the test processes makes for them all.

    `make` is called with the path of a folder that is not there yet. Nobody may change it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base

    def folder(name, make):
        with FileLock(shared / f"{name}.lock"):
            if not (shared / f"{name}.made").exists():
                shutil.rmtree(shared / name, ignore_errors=True)  # what a failure has left
                make(shared / name)
                (shared / f"{name}.made").touch()
        return shared / name

    return folder


@pytest.fixture(scope="session")
def empty_store(made_once):
    """MLflow's database as a fresh checkout makes it; made once, since it takes 2 seconds."""

    def make(folder):
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DVC_ROOT", str(folder))
            from slow_features.tracking.store import open_store

            open_store()

    return made_once("store", make) / "mlflow.db"


@pytest.fixture
def store_root(tmp_root, empty_store):
    """A project of its own with an empty MLflow store."""
    shutil.copy(empty_store, tmp_root / "mlflow.db")
    return tmp_root


def pytest_terminal_summary(terminalreporter):
    """Say at the end what the tests have counted by `record_property`, as kills survived."""
    counts = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if isinstance(value, int):
                counts[name] += value
                terminalreporter.write_line(f"{report.nodeid}: {name}: {value}")
    for name, total in counts.items():
        terminalreporter.write_line(f"{name}, in all: {total}")
