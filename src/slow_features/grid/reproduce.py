"""Everything of a scale at once: cells in parallel into the store, then DVC records the results."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from slow_features import paths
from slow_features.config.schema import Experiment
from slow_features.errors import InterruptError
from slow_features.grid.cells import Cell, cells_of
from slow_features.grid.definition import write_definitions
from slow_features.grid.machines import Machines
from slow_features.grid.run import CellsFailedError, record_finished, run_missing
from slow_features.grid.select import select
from slow_features.grid.verify import write_verified
from slow_features.interrupt import stop_on_signals, tied
from slow_features.locks import only_one
from slow_features.report.grid import write_grid_report
from slow_features.results.store import StoredCell

_POLL_SECONDS = 0.1


def reproduce(config: Experiment, selection: Sequence[str], machines: Machines) -> int:
    """Reproduce the experiment and the scale of `config`, or a selection of cells.

    Computes on these machines what the store lacks, also where git has the results. DVC decides
    what is out of date and records it. A failing cell does not keep others from being finished.
    Returns DVC's exit code. Raises CellsFailedError at the end if cells failed, MachineError if
    another one is at work.
    """
    # What is wrong in grids.yaml is found before anything runs.
    cells = select(selection) if selection else cells_of(config.scale)
    with only_runner():
        if selection:
            return _part(cells, machines)
        return _everything(config, cells, machines)


def only_runner() -> AbstractContextManager[None]:
    """Refuse a second runner in the same checkout: their DVCs would fail each other's stages."""
    return only_one(
        paths.cells() / "reproduce.lock",
        "another reproduce.py is at work in this checkout; wait for it or stop it",
    )


def _everything(config: Experiment, cells: Sequence[Cell], machines: Machines) -> int:
    failure = _run(cells, machines, StoredCell(config))
    write_definitions(paths.CODE / "grid")  # verify@ needs its scale's; `code` may not have run yet
    verify = ("--force", "--single-item", f"verify@{config.scale}")
    code = run_dvc("repro", "--quiet", *verify) if not failure else 0
    code = code or run_dvc("repro", "--quiet", *(["--keep-going"] if failure else []))
    if failure:
        raise failure
    if code == 0:
        pages = [paths.REPORTS / name / "index.html" for name in ("experiment", config.scale)]
        print("reports:", *pages)
    return code


def _part(cells: Sequence[Cell], machines: Machines) -> int:
    """Run some cells, record them, and write the reports of their scales; the rest is not run."""
    failure = _run(cells, machines)
    for scale in dict.fromkeys(cell.scale for cell in cells):
        write_verified(scale)
        write_grid_report(scale)
        print("report:", paths.REPORTS / scale / "index.html")
    if failure:
        raise failure
    return 0


def _run(
    cells: Sequence[Cell], machines: Machines, experiment: StoredCell | None = None
) -> CellsFailedError | None:
    """Fill the store and record what is finished; return the failure instead of raising it."""
    failure = None
    try:
        run_missing(cells, machines, experiment=experiment)
    except CellsFailedError as error:
        failure = error
        print(f"error: {error}", file=sys.stderr)
    record_finished(cells)
    return failure


def run_dvc(*arguments: str) -> int:
    """Run a DVC command and return its exit code; Ctrl-C and SIGTERM are passed on to its stage.

    Both get SIGINT, as from a terminal: the stage keeps its state and ends, then DVC, which frees
    its locks. Raises InterruptError.
    """
    command = tied([sys.executable, "-m", "dvc", *arguments])
    dvc = subprocess.Popen(command, start_new_session=True)  # out of the reach of Ctrl-C
    with stop_on_signals() as stop:
        while dvc.poll() is None:
            if stop.signal_number is not None:
                os.killpg(dvc.pid, signal.SIGINT)
                dvc.wait()
                raise InterruptError(stop.signal_number, "finished stages and checkpoints are kept")
            time.sleep(_POLL_SECONDS)
    return dvc.returncode
