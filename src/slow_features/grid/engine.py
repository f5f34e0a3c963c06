"""Many cells at once on a Dask cluster: in this process, or on workers of other machines.

A cell is a process of its own, so that a killed or failing one takes no other with it. Dask hands
a cell to a free worker, and again to another one when a worker is lost.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

from slow_features import paths
from slow_features.errors import InterruptError, SlowFeaturesError
from slow_features.grid import parcels
from slow_features.grid.machines import Machines
from slow_features.grid.work import STOPPED, Order, Outcome
from slow_features.interrupt import StopRequest, stop_on_signals
from slow_features.results.store import CellIds

if TYPE_CHECKING:
    from slow_features.grid.cluster import Cluster

_POLL_SECONDS = 0.1
_TRIES = 3  # of a cell whose process was killed, as by a machine out of memory
OTHER_CODE = 3  # exit code of a cell that would compute another result than the one asked for


@dataclass
class Job:
    """One cell: its name, the arguments of Python, its log, and how it ended.

    log: from the project's root. input: to its stdin. cell: what must come out of it, None for
    what is no cell.
    """

    name: str
    arguments: list[str]
    log: PurePath
    input: str = ""
    cell: CellIds | None = None
    seconds: float = 0.0
    return_code: int | None = None
    last_line: str = ""


@dataclass
class State:
    """The jobs by how far they are, and when the first one started.

    workers: how many there are, None where cells run in this process's own.
    """

    waiting: list[Job]
    running: list[Job] = field(default_factory=list)
    done: list[Job] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)
    workers: int | None = None
    started: float = field(default_factory=time.monotonic)

    def seconds_left(self) -> float | None:
        """Return an estimate of the time left from the time spent; None before the first end."""
        ended = len(self.done) + len(self.failed)
        left = len(self.waiting) + len(self.running)
        return (time.monotonic() - self.started) / ended * left if ended else None


def run_jobs(jobs: Sequence[Job], machines: Machines, show: Callable[[State], None]) -> State:
    """Run all jobs, as many at a time as there is room for; `show` is told after each change.

    A failing job neither stops nor hides the others. Ctrl-C, SIGTERM or SIGHUP stops the
    running jobs, which write their checkpoints, and raises InterruptError.
    """
    state = State(waiting=list(jobs))
    with stop_on_signals() as stop:
        asyncio.run(_run(state, machines, show, stop))
    return state


async def _run(
    state: State, machines: Machines, show: Callable[[State], None], stop: StopRequest
) -> None:
    from slow_features.grid.cluster import open_cluster  # Dask takes a second to be imported

    tasks: dict[asyncio.Task, Job] = {}
    async with open_cluster(machines) as cluster:
        try:
            await _run_on(cluster, state, tasks, show, stop)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _run_on(
    cluster: Cluster,
    state: State,
    tasks: dict[asyncio.Task, Job],
    show: Callable[[State], None],
    stop: StopRequest,
) -> None:
    """Keep every slot of the cluster busy until all is done. `tasks`: the jobs under way."""
    shown = None
    while state.waiting or tasks:
        if stop.signal_number is not None:
            raise InterruptError(stop.signal_number, "finished cells and checkpoints are kept")
        cluster.check()
        while state.waiting and len(tasks) < cluster.slots:
            job = state.waiting.pop(0)
            tasks[asyncio.create_task(_finish(job, cluster))] = job
            state.running.append(job)
        for task in [task for task in tasks if task.done()]:
            task.result()  # raises what is a bug of ours
            job = tasks.pop(task)
            state.running.remove(job)
            (state.failed if job.return_code else state.done).append(job)
        state.workers = cluster.workers
        now = (len(state.waiting), len(state.running), state.workers)
        if now != shown:
            show(state)
            shown = now
        await asyncio.sleep(_POLL_SECONDS)


async def _finish(job: Job, cluster: Cluster) -> None:
    """Have a job done, started again as often as it takes, and note how it ended."""
    from distributed import KilledWorker

    began = time.monotonic()
    try:
        job.return_code, job.last_line = await _end_of(job, cluster)
    except KilledWorker as error:
        job.return_code, job.last_line = 1, f"lost with its worker {error.allowed_failures} times"
    except (SlowFeaturesError, OSError) as error:
        job.return_code, job.last_line = 1, str(error)
    job.seconds = time.monotonic() - began


async def _end_of(job: Job, cluster: Cluster) -> tuple[int, str]:
    """Return exit code and last line of a job that was neither stopped nor killed.

    One that is killed again and again ends with the third kill.
    """
    kills, again, parcel = 0, False, None
    while True:
        outcome = await cluster.run(job.name, _order(job, cluster, again, parcel))
        if outcome.code is None:
            parcel = parcels.pack(job.cell)
            continue
        _take_over(job, outcome, again)
        again, parcel = True, outcome.parcel
        if outcome.code == OTHER_CODE and cluster.workers is not None:
            _say(f"note: {outcome.host} is sent away: {outcome.last_line}")
            await cluster.dismiss(outcome.worker)
        elif outcome.code < 0 and (kills := kills + 1) < _TRIES:
            _say(f"note: {job.name} on {outcome.host}: killed by signal {-outcome.code}; once more")
        elif outcome.code not in STOPPED:
            return outcome.code, outcome.last_line


def _order(job: Job, cluster: Cluster, again: bool, parcel: bytes | None) -> Order:
    has_state = cluster.marker is not None and job.cell and parcels.state_of(job.cell)
    return Order(
        arguments=tuple(job.arguments),
        log=job.log,
        input=job.input,
        cell=job.cell,
        again=again,
        marker=cluster.marker,
        slice_seconds=cluster.slice_seconds,
        has_state=bool(has_state),
        parcel=parcel,
    )


def _take_over(job: Job, outcome: Outcome, again: bool) -> None:
    """Keep what a worker without this store has sent of a job."""
    if outcome.parcel:
        parcels.unpack(outcome.parcel, job.cell)
    if outcome.log is not None:
        log = paths.project_root() / job.log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab" if again else "wb") as stream:
            stream.write(outcome.log)


def progress_line(state: State) -> str:
    """Return one line: cells done, running, failed, waiting, and the time left."""
    left = state.seconds_left()
    eta = "" if left is None else f", about {left / 60:.0f} min left"
    workers = "" if state.workers is None else f", {state.workers} workers"
    names = ", ".join(job.name for job in state.running)
    return (
        f"{len(state.done)} done, {len(state.running)} running, {len(state.failed)} failed, "
        f"{len(state.waiting)} waiting{workers}{eta} | {names}"
    )


def failure_lines(state: State) -> list[str]:
    """Return, for each failed job, its name, how it ended and the last line of its log."""
    return [f"{job.name}: exit {job.return_code}: {job.last_line}" for job in state.failed]


def print_progress(state: State) -> None:
    """Print the progress on stderr, over the last line where stderr is a terminal."""
    _say(progress_line(state), end="\r" if sys.stderr.isatty() else "\n")


def _say(line: str, end: str = "\n") -> None:
    print("\033[K" * sys.stderr.isatty() + line, end=end, file=sys.stderr, flush=True)
