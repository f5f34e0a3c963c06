"""The published grid on many workers, simulated: how long, what kills cost, who is loaded.

    python -m benchmarks.scaling

Cells take as long as `make plan` says for one core of this machine, in seconds of processor, so
that other work on it does not count. The rates of kills are assumed.
The load of the scheduler is measured: a real one, with that many workers in this process.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import pandas as pd
from distributed import Client

from slow_features.grid import speed
from slow_features.grid.cells import cells_of
from slow_features.grid.cluster import QuietScheduler, QuietWorker
from slow_features.grid.machines import SLICE_SECONDS
from slow_features.grid.plan import Pace, count

WORKERS = (8, 64, 256)
HOURS_BETWEEN_KILLS = (None, 24.0, 4.0)  # of one worker; 4: a partition that preempts a lot
BACK_AFTER = 300.0  # seconds until a killed worker is there again
STARTING = 10.0  # seconds that a cell takes to begin and to go on: imports, data, checkpoint
STATE = 3  # a checkpoint beside weights: the optimiser's two moments as well, at most
IDLE_SECONDS = 5.0
# Each worker looks at its own machine twice a second; here they would all look at this one.
_NO_MONITORS = {
    "distributed.admin.system-monitor.interval": "1h",
    "distributed.worker.profile.enabled": False,
}


@dataclass(frozen=True)
class Work:
    """One cell: its seconds on one worker, and after how many its state is safe each time."""

    seconds: float
    saved_every: float


@dataclass(frozen=True)
class Run:
    """What came out: seconds until the last cell is done; worker-seconds lost to kills, and all."""

    makespan: float
    lost: float
    worked: float


def simulate(cells: list[Work], workers: int, hours: float | None, seed: int = 1) -> Run:
    """Run cells, the longest first, on workers that are killed every so many hours each.

    A killed cell goes on from its last saved state, before all that have not begun.
    """
    draw = np.random.default_rng(seed)
    waiting = [(-cell.seconds, cell.seconds, cell.saved_every) for cell in cells]
    heapq.heapify(waiting)
    free = [(0.0, worker) for worker in range(workers)]
    kill = [_next_kill(draw, 0.0, hours) for _ in range(workers)]
    makespan = lost = worked = 0.0
    pending: list[tuple[float, tuple[float, float, float]]] = []  # killed cells, from when on
    while waiting or pending:
        now, worker = heapq.heappop(free)
        while pending and (pending[0][0] <= now or not waiting):
            now = max(now, pending[0][0])
            heapq.heappush(waiting, heapq.heappop(pending)[1])
        while kill[worker] <= now:  # without a cell
            kill[worker] = _next_kill(draw, kill[worker], hours)
        _, left, every = heapq.heappop(waiting)
        end = now + STARTING + left
        if end <= kill[worker]:
            worked += end - now
            makespan = max(makespan, end)
            heapq.heappush(free, (end, worker))
            continue
        done = max(0.0, kill[worker] - now - STARTING)
        kept = done - done % every
        worked += kill[worker] - now
        lost += kill[worker] - now - kept
        heapq.heappush(pending, (kill[worker], (-np.inf, left - kept, every)))
        heapq.heappush(free, (kill[worker] + BACK_AFTER, worker))
        kill[worker] = _next_kill(draw, kill[worker], hours)
    return Run(makespan, lost, worked)


def _next_kill(draw: np.random.Generator, after: float, hours: float | None) -> float:
    return np.inf if hours is None else after + draw.exponential(3600 * hours)


async def _nothing() -> None:
    return None


async def scheduler_load(workers: int, cells: int) -> tuple[float, float]:
    """Return CPU milliseconds for each cell, and the share of a core that waiting takes.

    Of a scheduler together with all its workers, which are in this process: at most so much.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    async with QuietScheduler(protocol="inproc", dashboard=False) as scheduler:
        alone = {"nthreads": 1, "memory_limit": None}
        crew = [QuietWorker(scheduler.address, **alone) for _ in range(workers)]
        await asyncio.gather(*crew)
        async with Client(scheduler.address, asynchronous=True) as client:
            began = time.process_time()
            for first in range(0, cells, workers):
                names = range(first, min(first + workers, cells))
                await client.gather([client.submit(_nothing, key=f"cell-{n}") for n in names])
            each = (time.process_time() - began) / cells
            began = time.process_time()
            await asyncio.sleep(IDLE_SECONDS)
            idle = (time.process_time() - began) / IDLE_SECONDS
        await asyncio.gather(*(worker.close() for worker in crew))
    return 1e3 * each, idle


def makespans(table: pd.DataFrame, epochs: list[int]) -> pd.DataFrame:
    """Return a row for each number of workers and rate of kills."""
    shared = [Work(s, s / n) for s, n in zip(table["seconds"], epochs, strict=True)]
    apart = [Work(s, SLICE_SECONDS) for s in table["seconds"]]
    checkpoints = float((STATE * table["disk"] * epochs + table["disk"]).sum())
    rows = []
    for workers in WORKERS:
        for hours in HOURS_BETWEEN_KILLS:
            run, without = simulate(shared, workers, hours), simulate(apart, workers, hours)
            rows.append(
                {
                    "workers": workers,
                    "hours between kills": hours or "none",
                    "days": run.makespan / 86400,
                    "busy %": 100 * run.worked / (workers * run.makespan),
                    "lost %": 100 * run.lost / run.worked,
                    "lost %, no shared store": 100 * without.lost / without.worked,
                    "store MB/s": checkpoints / 1e6 / run.makespan,
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    """Print the simulated makespans, and the measured load of a scheduler."""
    cells = cells_of("paper")
    with patch.object(speed.time, "perf_counter", time.process_time):
        table = count(cells, Pace())
    epochs = [max(1, cell.config.model.epochs) for cell in cells]
    hours = table["seconds"] / 3600
    print(
        f"{len(cells)} cells, {hours.sum() / 24:.1f} days of one core; hours a cell: "
        f"median {hours.median():.1f}, longest {hours.max():.1f}; "
        f"weights {table['disk'].sum() / 1e9:.1f} GB\n"
    )
    print(makespans(table, epochs).round(2).to_string(index=False), "\n")
    for workers in WORKERS:
        each, idle = asyncio.run(scheduler_load(workers, len(cells)))
        print(
            f"scheduler with {workers} workers: {each:.1f} ms a cell, waiting {idle:.1%} of a core"
        )


if __name__ == "__main__":
    main()
