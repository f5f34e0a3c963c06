"""Where everything lies: the only module that knows a file's place.

Two kinds. What belongs to the checkout (MLflow's store, checkpoints) is found from the project's
root. What one experiment makes (data, outputs, reports) is relative to the current folder, since
`dvc exp run --queue` and `--temp` run in a copy of the checkout whose outputs DVC collects.
"""

from __future__ import annotations

import os
from pathlib import Path

from slow_features.errors import InputError

DATA = Path("data/experiment")
OUTPUTS = Path("outputs/experiment")
REPORTS = Path("reports/experiment")
GRID_DATA = Path("data/grid")
GRID_OUTPUTS = Path("outputs/grid")
GRID_REPORTS = Path("reports")
GRID_MARKERS = Path("outputs/tracked")


def project_root() -> Path:
    """Return the checkout that this process belongs to, as an absolute path.

    DVC_ROOT where DVC sets it (in a queue's copy it names the main checkout); else the nearest
    parent of the current folder with a dvc.yaml or a .git; else the current folder.
    Raises InputError for a DVC_ROOT that is no folder.
    """
    named = os.environ.get("DVC_ROOT")
    if not named:
        return checkout()
    if not Path(named).is_dir():
        raise InputError(f"DVC_ROOT = {named}: allowed: the folder of a checkout, or not set")
    return Path(named).resolve()


def checkout() -> Path:
    """Return the project that the current folder lies in: in a queue's copy, the copy."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").exists() or (folder / ".git").exists():
            return folder
    return here


def mlflow_database() -> Path:
    """Return the SQLite file of MLflow."""
    return project_root() / "mlflow.db"


def mlflow_artifacts() -> Path:
    """Return the folder of the files that runs log to MLflow."""
    return project_root() / "mlartifacts"


def checkpoints() -> Path:
    """Return the folder of resumable checkpoints: outside DVC's outputs, which DVC removes."""
    return project_root() / ".checkpoints"


def cells() -> Path:
    """Return the folder of finished cells of the grid, by what they are."""
    return project_root() / ".cells"


def data_cache() -> Path:
    """Return the folder of the data sets of trainings that were started by hand."""
    return project_root() / ".cache" / "data"
