"""The whole pipeline with parallel cells: a pool fills the store, DVC records what is in it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from slow_features import paths
from slow_features.errors import InterruptError
from slow_features.grid.cells import Cell, cells_of
from slow_features.grid.pool import start_tied
from slow_features.grid.run import CellsFailedError, run_missing
from slow_features.interrupt import stop_on_signals
from slow_features.locks import only_one

_POLL_SECONDS = 0.1


def reproduce(scale: str, at_once: int | None = None) -> int:
    """Reproduce the experiment and a scale of the grid; return DVC's exit code.

    DVC decides what is out of date and records every result; only the waiting is shortened. A
    failing cell does not keep the others from being finished and recorded.
    Raises CellsFailedError at the end if cells failed, MachineError if another one is at work.
    """
    cells = cells_of(scale)  # what is wrong in grids.yaml is found before anything runs
    with _only_one():
        return _reproduce(cells, scale, at_once)


def _only_one() -> AbstractContextManager[None]:
    """Refuse a second runner in the same checkout: their DVCs would fail each other's stages."""
    return only_one(
        paths.cells() / "reproduce.lock",
        "another reproduce.py is at work in this checkout; wait for it or stop it",
    )


def _reproduce(cells: Sequence[Cell], scale: str, at_once: int | None) -> int:
    code = _dvc("experiment-report", f"data@{scale}")
    if code:
        return code
    failure = None
    try:
        run_missing(cells, at_once)
    except CellsFailedError as error:
        failure = error
        print(f"error: {error}", file=sys.stderr)
    code = _dvc(*(["--keep-going"] if failure else []))
    if failure:
        raise failure
    if code == 0:
        pages = [folder / "index.html" for folder in (paths.REPORTS, paths.GRID_REPORTS / scale)]
        print("reports:", *pages)
    return code


def _dvc(*arguments: str) -> int:
    """Run `dvc repro` and return its exit code; Ctrl-C and SIGTERM are passed on to its stage.

    Both get SIGINT, as from a terminal: the stage keeps its state and ends, then DVC, which frees
    its locks. Raises InterruptError.
    """
    dvc = start_tied([sys.executable, "-m", "dvc", "repro", "--quiet", *arguments])
    with stop_on_signals() as stop:
        while dvc.poll() is None:
            if stop.signal_number is not None:
                os.killpg(dvc.pid, signal.SIGINT)
                dvc.wait()
                raise InterruptError(stop.signal_number, "finished stages and checkpoints are kept")
            time.sleep(_POLL_SECONDS)
    return dvc.returncode
