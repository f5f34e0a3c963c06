"""Dask's scheduler in this process, and the workers that it has.

Its own worker talks to it without a port. Workers elsewhere talk TLS, and need an invitation.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import dask
from distributed import Client, Scheduler, Worker
from distributed.security import Security
from distributed.utils import get_ip

from slow_features.errors import InterruptError, MachineError
from slow_features.grid import parcels, slurm
from slow_features.grid.invitation import Invitation, left, needs
from slow_features.grid.machines import Machines
from slow_features.grid.work import GRACE_SECONDS, Order, Outcome, work
from slow_features.interrupt import stop_on_signals

_SLOT = "cell"  # what a worker of ours offers, and a plain `dask worker` does not
_CLOSING_SECONDS = GRACE_SECONDS + 10
_DEATH_SECONDS = 120  # without a driver a worker leaves
_DASHBOARD = "127.0.0.1:8787"
_POLL_SECONDS = 0.1
_SETTINGS = {
    "distributed.scheduler.allowed-failures": 30,  # workers that may die with one cell
    "distributed.admin.large-graph-warning-threshold": "1GB",  # a parcel is no graph
    # The driver waits beside trainings that need its core: it need not wake up every 20 ms.
    "distributed.admin.tick.interval": "500ms",
    "distributed.worker.profile.enabled": False,
}


class _WithoutHttp:
    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Open none: it would listen, without TLS."""


class QuietScheduler(_WithoutHttp, Scheduler):
    """A scheduler without Dask's pages."""


class QuietWorker(_WithoutHttp, Worker):
    """A worker without Dask's pages."""


class Cluster:
    """A scheduler, and who works for it.

    marker: the name of this store's marker, None where all workers are this process.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        client: Client,
        machines: Machines,
        marker: str | None = None,
        array: slurm.Array | None = None,
    ) -> None:
        self._scheduler, self._client, self._array = scheduler, client, array
        self.marker, self.slice_seconds = marker, machines.slice_seconds

    @property
    def slots(self) -> int:
        """How many cells may run at once."""
        return sum(int(w.resources.get(_SLOT, 0)) for w in self._scheduler.workers.values())

    @property
    def workers(self) -> int | None:
        """How many workers there are; None where this process is the only one."""
        if self.marker is None:
            return None
        return sum(_SLOT in worker.resources for worker in self._scheduler.workers.values())

    def check(self) -> None:
        """Raise MachineError when no worker is there and none will come."""
        if self._array and not self.workers:
            self._array.check()

    async def run(self, name: str, order: Order) -> Outcome:
        """Have an order done by a free worker, by another one if that is lost."""
        key = f"{name}-{uuid.uuid4().hex}"
        return await self._client.submit(work, order, key=key, resources={_SLOT: 1})

    async def dismiss(self, worker: str) -> None:
        """Send a worker away; what else it runs is run by others."""
        self._scheduler.close_worker(worker)
        while worker in self._scheduler.workers:
            await asyncio.sleep(_POLL_SECONDS)


@asynccontextmanager
async def open_cluster(machines: Machines) -> AsyncIterator[Cluster]:
    """Start a scheduler, and its worker or what brings its workers; close all at the end.

    Cells that run at the end write their checkpoints. Raises MachineError.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(_SETTINGS):
        opened = _listening(machines) if machines.elsewhere else _in_this_process(machines)
        async with opened as cluster:
            yield cluster


@asynccontextmanager
async def _in_this_process(machines: Machines) -> AsyncIterator[Cluster]:
    async with (
        _scheduler(machines, protocol="inproc") as scheduler,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        worker = await _worker(scheduler.address, machines.at_once)
        try:
            yield Cluster(scheduler, client, machines)
        finally:
            await worker.close(timeout=_CLOSING_SECONDS)


@asynccontextmanager
async def _listening(machines: Machines) -> AsyncIterator[Cluster]:
    host, port = machines.place
    security = Security.temporary()
    place = {"protocol": "tls", "host": host or get_ip(), "port": port, "security": security}
    async with (
        _scheduler(machines, **place) as scheduler,
        Client(scheduler.address, security=security, asynchronous=True) as client,
    ):
        certificate, key = security.tls_scheduler_cert, security.tls_scheduler_key
        invitation = Invitation(scheduler.address, certificate, key, needs())
        with (
            parcels.marker() as marker,
            left(invitation) as file,
            slurm.submitted(machines, file) if machines.array else nullcontext() as array,
        ):
            yield Cluster(scheduler, client, machines, marker, array)


def _scheduler(machines: Machines, **place: Any) -> Scheduler:
    if not machines.dashboard:
        return QuietScheduler(dashboard=False, **place)
    return Scheduler(dashboard=True, dashboard_address=_DASHBOARD, **place)


def _worker(address: str, slots: int, **more: Any) -> Worker:
    return QuietWorker(address, nthreads=slots, resources={_SLOT: slots}, memory_limit=None, **more)


def serve(invitation: Invitation, slots: int) -> None:
    """Work for a driver until it ends. Raises InterruptError, and MachineError for no driver."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    asyncio.run(_serve(invitation, slots))


async def _serve(invitation: Invitation, slots: int) -> None:
    name = f"{platform.node()}-{os.getpid()}"
    security = invitation.security()
    starting = _worker(
        invitation.address, slots, name=name, security=security, death_timeout=_DEATH_SECONDS
    )
    with stop_on_signals() as stop:
        try:
            worker = await starting
        except (OSError, TimeoutError, RuntimeError) as error:
            raise MachineError(
                f"no driver at {invitation.address}, or one of another key ({error})"
            ) from None
        print(f"works for {invitation.address}, {slots} cells at once", flush=True)
        ended = asyncio.create_task(worker.finished())
        while not ended.done() and stop.signal_number is None:
            await asyncio.sleep(_POLL_SECONDS)
        await worker.close(timeout=_CLOSING_SECONDS)
    if stop.signal_number is not None:
        raise InterruptError(stop.signal_number, "its cells have written their checkpoints")
    print("the driver has ended, or has sent this worker away")
