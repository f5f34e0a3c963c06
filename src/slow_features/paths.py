"""Where everything lies: the only module that knows a file's place.

Two kinds. What belongs to the checkout (finished cells, checkpoints, data sets, MLflow's store) is
found from the project's root. What DVC records and git keeps (results, reports, descriptions of
data sets) is relative to the current folder, since `dvc exp run --queue` and `--temp` run in a copy
of the checkout, whose files DVC collects.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from slow_features.errors import InputError

EXPERIMENT = PurePath("experiment")  # the name of what params.yaml describes, beside the scales
DATA = Path("data")  # descriptions of data sets
RESULTS = Path("results")
REPORTS = Path("reports")
CODE = RESULTS / "code"  # a fingerprint of the code behind each kind of result
TRACKED = RESULTS / "tracked"  # which MLflow runs were written
VERIFIED = RESULTS / "verified"  # how what was computed here compares with what is in git
SEARCHES = RESULTS / "search"  # the trials of studies, STUDY/MODEL.json
WEIGHTS = Path("weights")  # gathered for a DVC remote


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


def checkpoint(training: str) -> Path:
    """Return the file of the state of a training that is under way."""
    return checkpoints() / training / "checkpoint.safetensors"


def cells() -> Path:
    """Return the store of finished cells, by what they are."""
    return project_root() / ".cells"


def cell_log(name: PurePath) -> PurePath:
    """Return the log of a cell's process, from the project's root: that of who runs it."""
    return PurePath(".cells", "logs", name.with_name(f"{name.name}.log"))


def data_cache() -> Path:
    """Return the folder of the data sets, which are made again when they are missing."""
    return project_root() / ".cache" / "data"
