"""Stages as processes that a test can kill: real ones, and cheap ones for the fast suite.

A real one takes 5 seconds to import torch and MLflow. A forked one runs the same script, but in a
child of a process that has imported everything already: it starts in 0.05 seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

STAGES = Path(__file__).parents[1] / "stages"
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.imported"])


class Process:
    """A command that can be killed, waited for and asked what it said; in a group of its own."""

    def __init__(
        self, folder: Path, command: list[str], environment: dict[str, str] | None = None
    ) -> None:
        self.errors_file = folder / f"{time.monotonic_ns()}.log"
        self._start(folder, command, environment)

    def _start(self, folder: Path, command: list[str], environment: dict[str, str] | None) -> None:
        with self.errors_file.open("wb") as errors:
            self._process = subprocess.Popen(
                command, cwd=folder, env=environment, stderr=errors, stdout=errors,
                start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def wait(self, seconds: float = 200.0) -> int:
        """Wait for the end; return the exit code, negative for a signal."""
        return self._process.wait(seconds)

    def ended(self) -> bool:
        """Tell whether it has ended."""
        return self._process.poll() is not None

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal, wait, and return the exit code; it may have ended in the meantime."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
        return self.wait()

    def descendants(self) -> list[psutil.Process]:
        """Return all processes that it has started, and that they have."""
        return psutil.Process(self.pid).children(recursive=True)

    def errors(self) -> str:
        """Return what it printed."""
        return self.errors_file.read_text()


class Stage(Process):
    """A stage as a process."""

    def __init__(self, folder: Path, stage: str, *arguments: str) -> None:
        super().__init__(folder, [sys.executable, str(STAGES / f"{stage}.py"), *arguments])


class ForkedStage(Stage):
    """The same, forked from a process that has imported everything.

    before: called in the child first, for tests that make it fail at a certain place.
    """

    def __init__(
        self, folder: Path, stage: str, *arguments: str, before: Callable[[], None] | None = None
    ) -> None:
        self._before = before
        super().__init__(folder, stage, *arguments)

    def _start(self, folder: Path, command: list[str], environment: None) -> None:
        self.errors_file.touch()
        given = (str(folder), command[1:], str(self.errors_file), self._before)
        self._process = _forks.Process(target=_run, args=given)
        self._process.start()

    def wait(self, seconds: float = 200.0) -> int:
        """Wait for the end; return the exit code, negative for a signal."""
        self._process.join(seconds)
        assert self._process.exitcode is not None, "it has not ended"
        return self._process.exitcode

    def ended(self) -> bool:
        """Tell whether it has ended."""
        return self._process.exitcode is not None


def _run(folder: str, line: list[str], errors: str, before: Callable[[], None] | None) -> None:
    """Become the stage: in its folder, with its arguments, its output in a file."""
    os.chdir(folder)
    output = os.open(errors, os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for name in [name for name in os.environ if name.startswith(("DVC_", "MLFLOW_"))]:
        del os.environ[name]
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the fork server ignores it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the tests run under nohup
    if before is not None:
        before()
    sys.argv = line
    runpy.run_path(line[0], run_name="__main__")


def wait_until(happened: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until something is true; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that has ended but was not waited for does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
