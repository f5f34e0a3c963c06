"""MLflow's store survives whatever starts, moves or looks at it at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from slow_features import tracking
from slow_features.config.schema import Experiment
from slow_features.errors import MachineError
from slow_features.process import has_ended, this_process
from slow_features.tracking.store import open_store


def write_runs(name: str, runs: int, start: multiprocessing.Barrier) -> None:
    """Do what a worker does: as many runs of its own, and one that all workers share."""
    start.wait()
    for n in range(runs):
        with tracking.run(Experiment(), stage="train", identity=f"{name}{n}") as run:
            run.log_curve([{"step": s, "loss": float(s)} for s in range(100)])
            run.log_metrics({"rmse_px": float(n)})
    with tracking.run(Experiment(), stage="train", identity="shared") as run:
        run.log_metrics({name: 1.0})


def write_at_once(workers: int, runs: int) -> None:
    """Let several processes create the store at the same moment and write runs into it."""
    os.environ["MLFLOW_LOGGING_LEVEL"] = "CRITICAL"  # as the store sets it before its own import
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  # not in each of the forks

    context = multiprocessing.get_context("fork")
    start = context.Barrier(workers)
    names = [f"w{n}" for n in range(workers)]
    started = [context.Process(target=write_runs, args=(name, runs, start)) for name in names]
    for worker in started:
        worker.start()
    for worker in started:
        worker.join()
    assert [worker.exitcode for worker in started] == [0] * workers
    check_nothing_is_lost(names, runs)


def check_nothing_is_lost(names: list[str], runs: int) -> None:
    store = open_store()
    found = {run.data.tags["identity"]: run for run in store.find()}
    assert len(store.find()) == len(found) == len(names) * runs + 1
    for name in names:
        for n in range(runs):
            run = found[f"{name}{n}"]
            assert run.info.status == "FINISHED"
            assert run.data.metrics["error/rmse_px"] == n
            losses = store.client.get_metric_history(run.info.run_id, "loss/loss")
            assert [(point.step, point.value) for point in losses] == [(s, s) for s in range(100)]
    assert found["shared"].data.metrics == dict.fromkeys(names, 1.0)


def check_nothing_but_waits(capfd) -> None:
    """Check stderr: on a slow machine some say that they wait for the one that makes the store."""
    lines = capfd.readouterr().err.splitlines()
    assert all(line.startswith("waiting for ") for line in lines), lines


def test_three_processes_create_the_store_at_once(tmp_root, capfd):
    write_at_once(workers=3, runs=1)
    check_nothing_but_waits(capfd)


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_sixteen_processes_create_the_store_at_once(tmp_root, capfd, attempt):
    if attempt:
        Path("mlflow.db").touch()
    write_at_once(workers=16, runs=2)
    check_nothing_but_waits(capfd)


def test_the_store_lies_in_the_root_and_nothing_else_is_made(store_root, monkeypatch):
    (store_root / "a").mkdir()
    monkeypatch.chdir("a")
    with tracking.run(Experiment(), stage="train", identity="abc"):
        pass
    assert list(Path().iterdir()) == []
    names = {path.name for path in store_root.iterdir()}
    assert names == {"dvc.yaml", "a", "mlflow.db", "mlflow.db.lock"}


def test_a_database_without_our_experiment_is_used(store_root):
    """As when `mlflow ui` was started first: it makes a database of its own."""
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        connection.execute("UPDATE experiments SET name = 'other' WHERE name = 'slow-features'")
    with tracking.run(Experiment(), stage="train", identity="abc"):
        pass
    (run,) = open_store().find()
    assert run.info.artifact_uri.startswith((store_root / "mlartifacts").as_uri())


def test_an_experiment_deleted_in_the_ui_says_how_to_bring_it_back(store_root, capfd):
    store = open_store()
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(MachineError, match="was deleted") as refused:
        open_store()
    command = str(refused.value).partition("to bring it back: ")[2].partition(", with ")
    variable, _, uri = command[2].partition("=")
    done = subprocess.run(
        [sys.executable, "-m", *command[0].split()], env=os.environ | {variable: uri}, check=True
    )
    assert done.returncode == 0
    assert open_store().find() == []


def test_a_copied_checkout_keeps_its_files_apart(store_root, tmp_path_factory, monkeypatch):
    with tracking.run(Experiment(), stage="train", identity="old") as run:
        run.log_artifact("dvc.yaml")
    copy = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(store_root, copy)
    monkeypatch.chdir(copy)
    with tracking.run(Experiment(), stage="train", identity="new") as run:
        run.log_artifact("dvc.yaml")
    for run in open_store().find():
        folder = copy / "mlartifacts" / run.info.run_id / "artifacts"
        assert run.info.artifact_uri == folder.as_uri()
        assert (folder / "dvc.yaml").exists()
    assert len(list((store_root / "mlartifacts").iterdir())) == 1


@pytest.mark.parametrize("name", ["a'b", "a?b", "a#b", "a%41b", "a;b"])
def test_a_checkout_with_any_name_keeps_its_store_inside(tmp_root, name, monkeypatch, capfd):
    checkout = tmp_root / "outer" / name
    checkout.mkdir(parents=True)
    (checkout / "dvc.yaml").touch()
    monkeypatch.chdir(checkout)
    with tracking.run(Experiment(), stage="train", identity="abc") as run:
        run.log_artifact("dvc.yaml")
    assert capfd.readouterr().err == ""
    (found,) = open_store().find()
    assert (checkout / "mlartifacts" / found.info.run_id / "artifacts/dvc.yaml").exists()
    assert [path.name for path in checkout.parent.iterdir()] == [name]
    names = {path.name for path in checkout.iterdir()}
    assert names == {"dvc.yaml", "mlflow.db", "mlflow.db.lock", "mlartifacts"}


class TestADatabaseThatIsNone:
    def test_an_empty_file_is_made_a_store_by_many_at_once(self, tmp_root, capfd):
        Path("mlflow.db").touch()
        write_at_once(workers=4, runs=1)
        check_nothing_but_waits(capfd)

    def test_garbage_is_kept_and_a_new_store_is_made(self, tmp_root, capfd):
        Path("mlflow.db").write_text("this is no database")
        Path("mlflow.db.damaged-1").touch()
        assert tracking.close_stale_runs() == 0
        (line,) = capfd.readouterr().err.splitlines()
        assert "kept as mlflow.db.damaged-2" in line
        assert Path("mlflow.db.damaged-2").read_text() == "this is no database"
        assert open_store().find() == []

    def test_half_a_database_is_kept_too(self, tmp_root, capfd):
        """As of an `mlflow ui` that was killed while it made one."""
        with closing(sqlite3.connect("mlflow.db")) as connection, connection:
            connection.execute("CREATE TABLE experiments (name TEXT)")
        assert open_store().find() == []
        assert "kept as mlflow.db.damaged-1" in capfd.readouterr().err

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("none")])
    def test_what_is_no_file_is_refused_at_once(self, tmp_root, make):
        make(Path("mlflow.db"))
        started = time.monotonic()
        with pytest.raises(MachineError, match=r"mlflow\.db is no file; move it away"):
            tracking.close_stale_runs()
        assert time.monotonic() - started < 5

    def test_a_killed_writer_s_journal_is_played_back(self, store_root):
        with tracking.run(Experiment(), stage="train", identity="abc"):
            pass
        code = (
            "import os, signal, sqlite3\n"
            "connection = sqlite3.connect('mlflow.db')\n"
            "connection.execute('PRAGMA cache_size = 1')\n"
            "connection.execute('UPDATE tags SET value = hex(randomblob(4000))')\n"
            "connection.execute('DELETE FROM runs')\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        subprocess.run([sys.executable, "-c", code])
        assert Path("mlflow.db-journal").stat().st_size
        (run,) = open_store().find()
        assert run.data.tags["identity"] == "abc"


class TestProcess:
    def test_this_one_has_not_ended(self):
        assert not has_ended(this_process())

    def test_a_finished_one_has(self):
        code = "from slow_features.process import this_process; print(this_process())"
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert has_ended(ended.stdout.strip())

    def test_a_reused_pid_is_another_process(self):
        host, pid, start = this_process().rsplit(":", 2)
        assert has_ended(f"{host}:{pid}:{int(start) - 1000}")

    def test_a_killed_one_that_nobody_waited_for_has(self):
        code = "from slow_features.process import this_process; print(this_process())"
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            process = worker.stdout.read().strip()  # its end; only now is it waited for
            deadline = time.monotonic() + 10
            while not has_ended(process) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert has_ended(process)

    def test_another_host_s_is_not_known(self):
        assert not has_ended("another-host:1:0")


@pytest.mark.slow
def test_the_ui_shows_runs_and_opens_their_files(store_root):
    with tracking.run(Experiment(), stage="train", identity="abc") as run:
        run.log_metrics({"rmse_px": 3.5})
        run.log_artifact("dvc.yaml")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    mlflow = str(Path(sys.executable).with_name("mlflow"))
    uri = "sqlite:///mlflow.db"
    command = [mlflow, "ui", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        check_ui(address)
    finally:
        os.killpg(server.pid, 15)
        server.wait()


def check_ui(address: str) -> None:
    wait_for(f"{address}/health")
    query = {"experiment_ids": [open_store().experiment_id], "filter": "tags.model = 'VICReg'"}
    request = urllib.request.Request(
        f"{address}/api/2.0/mlflow/runs/search",
        json.dumps(query).encode(),
        {"Content-Type": "application/json"},
    )
    (run,) = json.load(urllib.request.urlopen(request))["runs"]
    assert {"key": "error/rmse_px", "value": 3.5}.items() <= run["data"]["metrics"][0].items()
    run_id = run["info"]["run_id"]
    listing = json.load(
        urllib.request.urlopen(f"{address}/api/2.0/mlflow/artifacts/list?run_id={run_id}")
    )
    assert [file["path"] for file in listing["files"]] == ["dvc.yaml"]
    file = urllib.request.urlopen(f"{address}/get-artifact?path=dvc.yaml&run_uuid={run_id}")
    assert file.read() == b""


def wait_for(address: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(address)
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{address} does not answer")
