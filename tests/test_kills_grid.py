"""Cells of the parallel runner, and the runner itself: killed, stopped, and started again."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest
import yaml

from tests.killed import SURVIVED, settings
from tests.stage_processes import STAGES, Process, is_alive, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
RUNNER = """
from slow_features.errors import exit_with_message
from slow_features.grid.cells import cells_of
from slow_features.grid.machines import Machines
from slow_features.grid.run import run_missing
exit_with_message(lambda: run_missing(cells_of("quick"), Machines(jobs=2)))
"""
GRID = {
    "families": ["changing_uniform"],
    "models": ["VICReg", "SimCLR", "IDM"],
    "quick": {"seeds": [1], "levels": {"changing_uniform": ["1.5"]}},
}


class Grid:
    """A project of its own with a grid of three cells, and a process that runs them."""

    def __init__(self, folder: Path, epochs: int = 40) -> None:
        self.folder = folder
        (folder / "reproduce_configs").mkdir(parents=True)
        (folder / "dvc.yaml").touch()
        (folder / "stages").symlink_to(STAGES)
        (folder / "grids.yaml").write_text(yaml.safe_dump(GRID))
        for model in GRID["models"]:
            text = yaml.safe_dump(settings(model, {"epochs": epochs}))
            (folder / "reproduce_configs" / f"{model.lower()}.yaml").write_text(text)

    def start(self) -> Process:
        """Start the runner."""
        return Process(self.folder, [sys.executable, "-c", RUNNER])

    def checkpoints(self) -> list[Path]:
        """Return the checkpoints of cells under way."""
        return list(self.folder.glob(".checkpoints/*/checkpoint.safetensors"))

    def results(self) -> dict[str, bytes]:
        """Return the bytes of all finished cells, but for their runs and their locks."""
        store = self.folder / ".cells"
        files = [file for file in store.rglob("*") if file.is_file() and "logs" not in file.parts]
        return {
            str(file.relative_to(store)): file.read_bytes()
            for file in files
            if file.name not in ("run.json", "sha256.json", "lock")
        }

    def logs(self) -> str:
        """Return what the cells have printed."""
        return "".join(file.read_text() for file in self.folder.glob(".cells/logs/**/*.log"))


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
    if number != signal.SIGKILL:
        assert "stopped: finished cells and checkpoints are kept; to go on: " in runner.errors()
    assert grid.checkpoints()
    finish_grid(grid, whole_grid)
    record_property(SURVIVED[number == signal.SIGKILL], 1)
