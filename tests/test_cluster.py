"""The grid's engine: no port of its own, workers over TLS, what is lost and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path, PurePath

import psutil
import pytest

from slow_features.errors import InterruptError
from slow_features.grid import invitation
from slow_features.grid.cells import cells_of
from slow_features.grid.engine import Job, State, run_jobs
from slow_features.grid.machines import Machines
from slow_features.grid.run import run_cell, run_missing, stored
from tests.killed import Grid, results_in
from tests.stage_processes import STAGES, Process, is_alive, wait_until

LOOPBACK = Machines(listen="127.0.0.1")
WORKER = [sys.executable, str(STAGES / "worker.py")]


def job(name: str, code: str) -> Job:
    return Job(name, ["-c", code], PurePath(f"{name}.log"))


def listening() -> set[str]:
    """Return the addresses that this process listens on."""
    connections = psutil.Process().net_connections("inet")
    return {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}


class Helper(threading.Thread):
    """Starts workers once the driver, which is the main thread, has left its invitation."""

    def __init__(self, folder: Path, *steps) -> None:
        super().__init__(daemon=True)
        self.folder, self.steps, self.workers = folder, steps, []
        self.file = folder / ".cells/cluster/worker.json"
        self.start()

    def run(self) -> None:
        wait_until(self.file.exists)
        for step in self.steps:
            step(self)

    def add(self, *options: str, **environment: str) -> Process:
        """Start a worker of one cell."""
        line = [*WORKER, str(self.file), "--jobs", "1", *options]
        worker = Process(self.folder, line, {**os.environ, **environment})
        self.workers.append(worker)
        return worker

    def ended(self) -> list[int]:
        """Return the exit codes of all workers."""
        self.join(60)
        return [worker.wait(60) for worker in self.workers]


# --- in this process --------------------------------------------------------------------------


def test_without_workers_elsewhere_no_port_is_open(tmp_root):
    seen = []
    before = listening()
    run_jobs([job("a", "")], Machines(jobs=1), lambda _: seen.append(listening()))
    assert seen and set().union(*seen) == before


NOTHING_TO_DO = """
import sys
import slow_features.grid.reproduce
from slow_features.grid.run import run_missing
run_missing([])
sys.exit(bool({"dask", "distributed"} & sys.modules.keys()))
"""


def test_nothing_to_do_imports_no_dask(tmp_root):
    assert subprocess.run([sys.executable, "-c", NOTHING_TO_DO]).returncode == 0


def test_a_killed_process_is_run_again(tmp_root, capfd):
    """Twice; what it said before stays in its log."""
    code = """
import os
print(n := len(open("a.log").readlines()), flush=True)
n == 2 or os.kill(os.getpid(), 9)
"""
    state = run_jobs([job("a", code)], Machines(jobs=1), lambda _: None)
    assert [j.name for j in state.done] == ["a"]
    assert (tmp_root / "a.log").read_text() == "0\n1\n2\n"
    assert capfd.readouterr().err.count("note: a on ") == 2


def test_our_own_errors_are_final(tmp_root):
    code = "print(open('count', 'a').write('x')); raise SystemExit({})"
    state = run_jobs([job(n, code.format(n)) for n in "12"], Machines(jobs=1), lambda _: None)
    assert sorted(j.return_code for j in state.failed) == [1, 2]
    assert (tmp_root / "count").read_text() == "xx"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_reaches_the_cells_in_order(number, tmp_root, capfd):
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(print('kept')))\n"
        "print('began', flush=True)\ntime.sleep(60)"
    )
    log = tmp_root / "a.log"

    def stop() -> None:
        wait_until(lambda: log.exists() and "began" in log.read_text())
        os.kill(os.getpid(), number)

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(InterruptError):
        run_jobs([job("a", code)], Machines(jobs=1), lambda _: None)
    assert log.read_text() == "began\nkept\n"
    assert capfd.readouterr().err == ""


# --- workers elsewhere ------------------------------------------------------------------------


FIRST_SLEEPS = """
import os, time
from pathlib import Path
first = not list(Path().glob("began-*"))
Path(f"began-{os.getpid()}").touch()
time.sleep(60 * first)
"""


def test_a_worker_over_tls_and_one_that_is_killed(tmp_root):
    """What the killed one had goes to another; all leave when the driver ends."""

    def kill_first(helper: Helper) -> None:
        first = helper.add()
        wait_until(lambda: list(tmp_root.glob("began-*")))
        cells = first.descendants()
        first.kill()
        wait_until(lambda: not any(map(is_alive, cells)))
        helper.add()

    helper, seen, workers = Helper(tmp_root, kill_first), set(), set()

    def show(state: State) -> None:
        seen.update(listening())
        workers.add(state.workers)

    state = run_jobs([job("a", FIRST_SLEEPS), job("b", "")], LOOPBACK, show)
    assert len(state.done) == 2
    assert seen == {"127.0.0.1"}
    assert {0, 1} <= workers
    assert helper.ended() == [-9, 0]
    assert not helper.file.exists()


def test_the_invitation_is_for_the_user_alone(tmp_root):
    modes = []

    def look(helper: Helper) -> None:
        modes.append(helper.file.parent.stat().st_mode & 0o777)
        helper.add()

    helper = Helper(tmp_root, look)
    run_jobs([job("a", "")], LOOPBACK, lambda _: None)
    assert helper.ended() == [0]
    assert modes == [0o700]


def test_without_the_key_nobody_joins(tmp_root):
    """Neither a worker nor a client, with another key or with none."""
    from distributed import Client
    from distributed.security import Security

    refused = []

    def knock(helper: Helper) -> None:
        address = json.loads(helper.file.read_text())["address"]
        for security in (Security.temporary(), None):
            place = address if security else address.replace("tls://", "tcp://")
            try:
                Client(place, security=security, timeout=2).close()
            except (OSError, TimeoutError) as error:
                refused.append(type(error))
        helper.add()

    helper = Helper(tmp_root, knock)
    run_jobs([job("a", "")], LOOPBACK, lambda _: None)
    assert helper.ended() == [0]
    assert len(refused) == 2


def changed_clone(folder: Path) -> Path:
    """Copy this checkout's code with one more line in losses/."""
    for part in ("src", "stages"):
        shutil.copytree(STAGES.parent / part, folder / part)
    file = folder / "src/slow_features/losses/vicreg.py"
    file.write_text(file.read_text() + "\n_CHANGED = 1\n")
    (folder / "dvc.yaml").touch()
    return folder


ELSEWHERE = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DVC_ROOT")}


def test_other_code_is_refused_in_one_line(tmp_root):
    made = invitation.Invitation("tls://127.0.0.1:1", "", "", invitation.needs())
    (tmp_root / "worker.json").write_text(json.dumps(made.__dict__))
    clone = changed_clone(tmp_root / "clone")
    line = [sys.executable, str(clone / "stages/worker.py"), "worker.json"]
    done = subprocess.run(line, env=ELSEWHERE, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "error: this worker has other code of VICReg than the driver" in done.stderr
    assert "torch" not in done.stderr


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"address": 1}'])
def test_a_file_that_is_no_invitation(content, tmp_root):
    if content is not None:
        (tmp_root / "x.json").write_text(content)
    done = subprocess.run([*WORKER, "x.json"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: x.json: ") and done.stderr.count("\n") == 1


@pytest.fixture
def grid(tmp_path, monkeypatch):
    grid = Grid(tmp_path / "grid", epochs=3)
    monkeypatch.chdir(grid.folder)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return grid


def test_a_worker_without_the_store_sends_its_cells(grid, tmp_path, monkeypatch):
    """To the same bytes as on this machine."""
    (tmp_path / "elsewhere").mkdir()
    cell = cells_of("quick")[0]
    helper = Helper(grid.folder, lambda h: h.add(DVC_ROOT=str(tmp_path / "elsewhere")))
    run_missing([cell], LOOPBACK)
    assert helper.ended() == [0]
    sent = grid.results()
    assert stored(cell).finished and len(sent) > 5
    assert "finished, in" in grid.logs()
    assert list((tmp_path / "elsewhere/.cells").glob("*/train"))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "here"))
    (tmp_path / "here").mkdir()
    run_cell(cell)
    assert sent == results_in(tmp_path / "here")


def test_a_worker_whose_code_changes_is_sent_away(grid, tmp_path, capfd):
    """As if its code had changed after it joined; the cell goes to another."""
    clone = changed_clone(tmp_path / "clone")

    def join(helper: Helper) -> None:
        content = json.loads(helper.file.read_text()) | {"needs": {}}
        (clone / "worker.json").write_text(json.dumps(content))
        worker = Process(clone, [sys.executable, "stages/worker.py", "worker.json"], ELSEWHERE)
        helper.workers.append(worker)
        wait_until(worker.ended)
        helper.add()

    helper = Helper(grid.folder, join)
    cell = cells_of("quick")[0]
    run_missing([cell], LOOPBACK)
    assert helper.ended() == [0, 0]
    assert stored(cell).finished
    assert not list(clone.glob(".cells/*/train"))
    (note,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("note: ")]
    assert "is sent away: error: the code, or the images of the noise, are not those" in note
