"""What a worker does with a cell: a process of its own, stopped in order, its files handed over.

A worker that has the driver's store before it leaves everything there. Another one works in a
store of its own and sends back what it made: the finished cell, or, after each slice of time, the
state that another worker can go on from.
"""

from __future__ import annotations

import asyncio
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import PurePath

from slow_features import paths
from slow_features.grid import parcels
from slow_features.interrupt import STOP_SIGNALS, tied
from slow_features.results.store import CellIds

GRACE_SECONDS = 60.0  # for a cell to write its checkpoint after a stop request
_POLL_SECONDS = 0.1
STOPPED = frozenset(128 + number for number in STOP_SIGNALS)  # exit codes; their state is kept


@dataclass(frozen=True)
class Order:
    """One cell to be made: the arguments of Python, its stdin, and what else a worker must know.

    log: from the project's root. again: it goes on, so the log is kept. marker: the name of the
    driver's marker, None where driver and worker are one process. has_state: whether the driver
    has something to go on from, parcel: that, for a worker without the driver's store.
    """

    arguments: tuple[str, ...]
    log: PurePath
    input: str
    cell: CellIds | None
    again: bool = False
    marker: str | None = None
    slice_seconds: float | None = None
    has_state: bool = False
    parcel: bytes | None = None


@dataclass(frozen=True)
class Outcome:
    """How a cell's process ended, on which host, and what it said last.

    code: as of subprocess, None where the worker first needs the driver's parcel. log, parcel: of
    a worker without the driver's store.
    """

    code: int | None
    host: str
    worker: str
    last_line: str = ""
    log: bytes | None = None
    parcel: bytes | None = None


async def work(order: Order) -> Outcome:
    """Run a cell to its end, to the end of its slice of time, or until the worker closes.

    A worker that closes cancels this: the cell writes its checkpoint first.
    """
    from distributed import get_worker

    host, worker = platform.node(), get_worker().address
    shared = order.marker is None or parcels.is_marked(order.marker)
    if not shared and order.cell:
        if order.has_state and not order.parcel:
            return Outcome(None, host, worker)
        if order.parcel:
            parcels.unpack(order.parcel, order.cell)
    log = paths.project_root() / order.log
    log.parent.mkdir(parents=True, exist_ok=True)
    began = log.stat().st_size if order.again and log.exists() else 0
    with log.open("ab" if order.again else "wb") as stream:
        process = await asyncio.create_subprocess_exec(
            *tied([sys.executable, *order.arguments]),
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the driver alone, which passes it on
        )
    process.stdin.write(order.input.encode())  # a few kB: it does not wait
    process.stdin.close()
    code = await _end_of(process, order if not shared else None)
    said = log.read_bytes()[began:]
    lines = said.decode(errors="replace").strip().splitlines()
    last_line = lines[-1] if lines else "no output"
    if shared:
        return Outcome(code, host, worker, last_line)
    parcel = parcels.pack(order.cell) if order.cell else None
    return Outcome(code, host, worker, last_line, said, parcel)


async def _end_of(process: asyncio.subprocess.Process, sliced: Order | None) -> int:
    """Wait for the end of a process; stop it at the end of its slice, or when cancelled.

    A slice does not end before the state has moved, since on a slow machine nothing ever would,
    nor in an evaluation, which has no state to go on from.
    """
    cell = sliced.cell if sliced else None
    before = parcels.state_of(cell) if cell else None
    slice_ends = time.monotonic() + (sliced.slice_seconds if sliced else 0)
    try:
        while process.returncode is None:
            await asyncio.sleep(_POLL_SECONDS)
            if cell and time.monotonic() > slice_ends:
                now = parcels.state_of(cell)
                if now != before and not now.trained:
                    await _stop(process)
        return process.returncode
    except asyncio.CancelledError:
        await _stop(process)
        raise


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask a process to stop, and kill it if it does not within a minute."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), GRACE_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
