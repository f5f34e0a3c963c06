"""The whole pipeline with parallel cells: a pool fills the store, DVC records what is in it."""

from __future__ import annotations

import subprocess
import sys

from slow_features.grid.cells import cells_of
from slow_features.grid.run import CellsFailedError, run_missing


def reproduce(scale: str, at_once: int | None = None) -> int:
    """Reproduce the experiment and a scale of the grid; return DVC's exit code.

    DVC decides what is out of date and records every result; only the waiting is shortened. A
    failing cell does not keep the others from being finished and recorded.
    Raises CellsFailedError at the end if cells failed.
    """
    code = _dvc("experiment-report", f"data@{scale}")
    if code:
        return code
    failure = None
    try:
        run_missing(cells_of(scale), at_once)
    except CellsFailedError as error:
        failure = error
        print(f"error: {error}", file=sys.stderr)
    code = _dvc(*(["--keep-going"] if failure else []))
    if failure:
        raise failure
    return code


def _dvc(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet", *arguments]).returncode
