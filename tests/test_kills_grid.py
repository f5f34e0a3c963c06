"""Cells of the parallel runner, and the runner itself: killed, stopped, and started again."""

from __future__ import annotations

import re
import signal

import pytest

from tests.killed import SURVIVED, Grid
from tests.stage_processes import is_alive, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def whole_grid(tmp_path_factory):
    """The results of a grid that nobody has killed."""
    grid = Grid(tmp_path_factory.mktemp("grid") / "whole")
    runner = grid.start()
    assert runner.wait() == 0, runner.errors()
    return grid.results()


def finish_grid(grid: Grid, whole: dict[str, bytes]) -> None:
    """Run the runner again: it goes on from the checkpoints, to the same bytes."""
    runner = grid.start()
    assert runner.wait() == 0, runner.errors()
    assert "going on from step" in grid.logs()
    assert grid.results() == whole
    assert not grid.checkpoints()


def test_one_cell_of_the_runner_killed(tmp_path, whole_grid, record_property):
    """It is named, and goes on from its checkpoint; the others do not notice."""
    grid = Grid(tmp_path / "grid")
    runner = grid.start()
    wait_until(lambda: len(grid.checkpoints()) == 2)
    victim = runner.descendants()[0]
    name = victim.cmdline()[2]
    victim.kill()
    assert runner.wait() == 0, runner.errors()
    assert re.search(rf"note: {name} on .*: killed by signal 9; once more", runner.errors())
    assert grid.results() == whole_grid
    assert grid.logs().count("going on from step") == 1
    record_property(SURVIVED[1], 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_runner_stopped_or_killed(number, tmp_path, whole_grid, record_property):
    """Its cells write their checkpoints and end with it, even if it could not ask them to."""
    grid = Grid(tmp_path / "grid")
    runner = grid.start()
    wait_until(lambda: len(grid.checkpoints()) == 2)
    cells = runner.descendants()
    assert runner.kill(number) == (-number if number == signal.SIGKILL else 128 + number)
    wait_until(lambda: not any(is_alive(cell) for cell in cells), seconds=30)
    assert "Traceback" not in runner.errors()
    if number != signal.SIGKILL:
        assert "stopped: finished cells and checkpoints are kept; to go on: " in runner.errors()
    assert grid.checkpoints()
    finish_grid(grid, whole_grid)
    record_property(SURVIVED[number == signal.SIGKILL], 1)
