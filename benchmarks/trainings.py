"""Cells of the grid trained with some settings changed: what is missing, several at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slow_features.config.cli import as_yaml
from slow_features.grid.engine import Job, failure_lines, print_progress, run_jobs
from slow_features.grid.machines import Machines
from slow_features.grid.run import find_cell


@dataclass(frozen=True)
class Training:
    """One training with its probe: a cell of the grid, `key=value` changes, and where it lies.

    script: what Python runs, with the arguments of stages/train.py.
    """

    cell: str
    values: tuple[str, ...]
    folder: Path
    script: tuple[str, ...] = ("stages/train.py",)

    def read(self, name: str) -> dict:
        """Return one of the files of the result, as probe/result.json."""
        return json.loads((self.folder / name).read_text())

    @property
    def finished(self) -> bool:
        """Whether there is a result."""
        return (self.folder / "probe" / "result.json").exists()

    def job(self) -> Job:
        """Write the cell's settings and return the process that trains it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "config.yaml"
        file.write_text(as_yaml(find_cell(self.cell).config))
        arguments = [*self.script, "--configs", str(file)]
        arguments += ["--values", *self.values, f"output_path={self.folder}"]
        return Job(self.folder.name, arguments, self.folder / "train.log")


def run_missing(trainings: Sequence[Training], at_once: int) -> None:
    """Run in this order what has no result; end with the reasons if some failed."""
    missing = [training.job() for training in trainings if not training.finished]
    state = run_jobs(missing, Machines(jobs=at_once), print_progress)
    if state.failed:
        sys.exit("\n".join(failure_lines(state)))
