"""Many cells at once: one process and one thread each, as many as the machine has cores.

A cell is a process of its own, so that a killed or failing one takes no other with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from slow_features.errors import InterruptError
from slow_features.interrupt import StopRequest, stop_on_signals, stop_with_parent

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 60.0  # for a cell to write its checkpoint after a stop request


@dataclass
class Job:
    """One cell's process: its name, its command, its log and how it ended."""

    name: str
    command: list[str]
    log: Path
    process: subprocess.Popen | None = None
    seconds: float = 0.0
    return_code: int | None = None


@dataclass
class State:
    """The jobs by how far they are, and when the first one started."""

    waiting: list[Job]
    running: list[Job] = field(default_factory=list)
    done: list[Job] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def seconds_left(self) -> float | None:
        """Return an estimate of the time left from the time spent; None before the first end."""
        ended = len(self.done) + len(self.failed)
        left = len(self.waiting) + len(self.running)
        return (time.monotonic() - self.started) / ended * left if ended else None


def run_jobs(jobs: Sequence[Job], at_once: int, show: Callable[[State], None]) -> State:
    """Run all jobs, `at_once` at a time; `show` is told after each start and end.

    A failing job neither stops nor hides the others. Ctrl-C, SIGTERM or SIGHUP stops the
    running jobs, which write their checkpoints, and raises InterruptError.
    """
    state = State(waiting=list(jobs))
    with stop_on_signals() as stop:
        while state.waiting or state.running:
            if stop.signal_number is not None:
                _stop_all(state, stop)
            while state.waiting and len(state.running) < at_once:
                state.running.append(_start(state.waiting.pop(0)))
                show(state)
            if _collect(state):
                show(state)
            time.sleep(_POLL_SECONDS)
    return state


def start_tied(command: list[str], **options: Any) -> subprocess.Popen:
    """Start a process that Ctrl-C does not reach, and that is asked to stop when this one dies.

    In a session of its own, so that this process alone hears Ctrl-C and passes it on in order.
    """
    ask = partial(stop_with_parent, os.getpid())
    return subprocess.Popen(command, start_new_session=True, preexec_fn=ask, **options)


def _start(job: Job) -> Job:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("wb") as log:
        job.process = start_tied(job.command, stdout=log, stderr=subprocess.STDOUT)
    job.seconds = time.monotonic()
    return job


def _collect(state: State) -> bool:
    """Move the jobs that have ended; return whether there were any."""
    ended = [job for job in state.running if job.process.poll() is not None]
    for job in ended:
        job.return_code = job.process.returncode
        job.seconds = time.monotonic() - job.seconds
        state.running.remove(job)
        (state.failed if job.return_code else state.done).append(job)
    return bool(ended)


def _stop_all(state: State, stop: StopRequest) -> None:
    for job in state.running:
        job.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    for job in state.running:
        try:
            job.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            job.process.kill()
    raise InterruptError(stop.signal_number, "finished cells and checkpoints are kept")


def progress_line(state: State) -> str:
    """Return one line: cells done, running, failed, waiting, and the time left."""
    left = state.seconds_left()
    eta = "" if left is None else f", about {left / 60:.0f} min left"
    names = ", ".join(job.name for job in state.running)
    return (
        f"{len(state.done)} done, {len(state.running)} running, {len(state.failed)} failed, "
        f"{len(state.waiting)} waiting{eta} | {names}"
    )


def failure_lines(state: State) -> list[str]:
    """Return, for each failed job, its name, how it ended and the last line of its log."""
    lines = []
    for job in state.failed:
        text = job.log.read_text(errors="replace").strip().splitlines()
        lines.append(f"{job.name}: exit {job.return_code}: {text[-1] if text else 'no output'}")
    return lines


def print_progress(state: State) -> None:
    """Print the progress on stderr, over the last line where stderr is a terminal."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(
        "\033[K" * sys.stderr.isatty() + progress_line(state), end=end, file=sys.stderr, flush=True
    )
