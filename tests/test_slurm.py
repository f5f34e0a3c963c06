"""The grid on a real Slurm: a node lost, a preemption, the end of the time, the driver killed.

With the store shared and not; in the end always the bytes of a run on one machine.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.killed import Grid, results_in
from tests.slurm_here import Slurm, why_not
from tests.stage_processes import Process, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
EPOCHS = 120
# What a step's shell is told before it starts: a store of the node's own.
OWN_STORES = """#!/bin/sh
mkdir -p {folder}/$SLURMD_NODENAME
echo export DVC_ROOT={folder}/$SLURMD_NODENAME
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A Slurm of two nodes with one core each, for all tests."""
    if reason := why_not():
        pytest.skip(reason)
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    yield slurm
    slurm.stop()


@pytest.fixture(scope="module")
def whole_grid(slurm, tmp_path_factory):
    """The results of the grid as one machine makes them."""
    grid = Grid(tmp_path_factory.mktemp("grid") / "whole", EPOCHS)
    runner = grid.start()
    assert runner.wait(600) == 0, runner.errors()
    return grid.results()


class OnSlurm(Grid):
    """A grid whose cells run on two workers of Slurm."""

    def __init__(self, folder: Path, slurm: Slurm, *, shared: bool) -> None:
        super().__init__(folder, EPOCHS)
        self.slurm, self.flags, self.drivers = slurm, ["--partition=low"], []
        self.stores = folder.with_name("stores")
        if not shared:
            self.stores.mkdir()
            prolog = folder.with_name("prolog.sh")
            prolog.write_text(OWN_STORES.format(folder=self.stores))
            prolog.chmod(0o755)
            self.flags.append(f"--export=ALL,SLURM_TASK_PROLOG={prolog}")

    def run(self, *flags: str, workers: int = 2) -> Process:
        """Start the driver."""
        machines = (
            f"Machines(listen='127.0.0.1', array={workers}, sbatch={(*self.flags, *flags)}, "
            "slice_seconds=25)"
        )
        self.drivers.append(self.start(machines, self.slurm.environment))
        return self.drivers[-1]

    def wait_for_two(self, runner: Process) -> None:
        """Wait until two workers have each written a checkpoint."""

        def began() -> bool:
            places = (self.folder, *self.stores.glob("*"))
            found = {f.parent for p in places for f in p.glob(".checkpoints/*/checkpoint.*")}
            return len({f.name for f in found}) >= 2 or runner.ended()

        wait_until(began, 200)
        assert not runner.ended(), runner.errors()

    def finish(self, runner: Process, whole: dict[str, bytes]) -> None:
        """Wait for the end of the driver: all is there, Slurm has no job left."""
        assert runner.wait(600) == 0, runner.errors()
        assert self.results() == whole
        assert not self.checkpoints()
        wait_until(lambda: not self.slurm.jobs(), 60)
        if self.stores.exists():
            assert any(results_in(store) for store in self.stores.iterdir())

    def said_by_workers(self) -> str:
        """Return what the workers have printed."""
        return "".join(f.read_text() for f in self.folder.glob(".cells/logs/workers/*.log"))


@pytest.fixture
def on_slurm(slurm, tmp_path):
    """Make grids that run on Slurm; no driver is left at the end."""
    made = []

    def make(shared: bool) -> OnSlurm:
        made.append(OnSlurm(tmp_path / "grid", slurm, shared=shared))
        return made[-1]

    yield make
    for grid in made:
        for driver in grid.drivers:
            if not driver.ended():
                driver.kill()
    slurm.ask("scancel", "--user=root")
    wait_until(lambda: not slurm.jobs(), 120)


def test_a_node_is_lost(slurm, on_slurm, whole_grid):
    grid = on_slurm(shared=True)
    runner = grid.run()
    grid.wait_for_two(runner)
    slurm.kill_node("n2")
    try:
        grid.finish(runner, whole_grid)
    finally:
        slurm.start_node("n2")
    assert "going on from step" in grid.logs()


def test_preempted_without_a_shared_store(slurm, on_slurm, whole_grid):
    grid = on_slurm(shared=False)
    runner = grid.run()
    grid.wait_for_two(runner)
    slurm.ask("sbatch", "--partition=high", "--nodes=2", "--output=/dev/null", "--wrap=sleep 2")
    wait_until(lambda: slurm.ask("squeue", "-h", "-p", "high", "-t", "RUNNING"), 60)
    grid.finish(runner, whole_grid)
    assert "DUE TO PREEMPTION" in grid.said_by_workers()


def test_the_end_of_the_time(slurm, on_slurm, whole_grid):
    """The worker leaves before it, which is a minute, and comes back."""
    grid = on_slurm(shared=True)
    runner = grid.run("--time=1", workers=1)
    grid.finish(runner, whole_grid)
    said = grid.said_by_workers()
    assert "stopped: its cells have written their checkpoints" in said
    assert said.count("works for tls://127.0.0.1:") > 1


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_driver_is_killed_or_stopped(number, shared, slurm, on_slurm, whole_grid):
    """Its workers leave, its array ends; the same command goes on."""
    grid = on_slurm(shared=shared)
    runner = grid.run()
    grid.wait_for_two(runner)
    os.kill(runner.pid, number)
    runner.wait()
    assert "Traceback" not in runner.errors()
    wait_until(lambda: not slurm.jobs(), 120)
    grid.finish(grid.run(), whole_grid)
    if shared:
        assert "going on from step" in grid.logs()
