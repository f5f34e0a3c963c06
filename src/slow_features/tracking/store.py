"""MLflow's embedded store: one SQLite file per checkout, whole or not there.

MLflow's environment variables do not apply (MLFLOW_TRACKING_URI, MLFLOW_RUN_ID, ...), apart from
that of `machine_load`: every process of a checkout meets the same store.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from slow_features import paths
from slow_features.errors import MachineError, SlowFeaturesError
from slow_features.files import atomic_file, check_writable
from slow_features.locks import only_one
from slow_features.tracking.sink import reason

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

EXPERIMENT = "slow-features"
ALL = 50_000  # the most runs that MLflow returns at once
LOCK_SECONDS = 60
_BUSY_SECONDS = 5  # that another process's transaction may take
_NO_DATABASE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


@dataclass(frozen=True)
class Store:
    """An open store."""

    client: MlflowClient
    experiment_id: str

    def find(self, query: str = "") -> list[Run]:
        """Return the runs that match a query in MLflow's language, newest first."""
        return list(self.client.search_runs([self.experiment_id], query, max_results=ALL))


def open_store() -> Store:
    """Open the checkout's store; the first process makes it, under a lock.

    Four processes that let MLflow create the database at once corrupt it for good, and a killed
    one leaves half of it: so it is made as a hidden file that is renamed when it is complete. A
    file that is no database, or half of one, is kept beside it as mlflow.db.damaged-1.
    Raises MachineError at once for a place where no database can be: MLflow would try for minutes.
    """
    database = paths.mlflow_database()
    if not _is_complete(database):
        check_writable(database)
        with store_lock():
            if not _is_complete(database):
                _set_aside(database)
                with atomic_file(database) as partial:
                    _connect(partial)
    return _connect(database)


def store_lock() -> AbstractContextManager[None]:
    """Return the lock that serialises the making of the store and of its runs."""
    return only_one(
        Path(f"{paths.mlflow_database()}.lock"),
        "another process is at work on MLflow's store",
        LOCK_SECONDS,
    )


def _is_complete(database: Path) -> bool:
    """Tell whether a database of MLflow's is there, made to its end."""
    if not os.path.lexists(database):
        return False
    if not database.is_file():
        raise MachineError(f"{database} is no file; move it away")
    try:
        with closing(_open_database(database)) as connection:
            return bool(connection.execute("SELECT version_num FROM alembic_version").fetchall())
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in _NO_DATABASE or "no such table" in str(error):
            return False
        if not os.path.lexists(database):  # another process has just set it aside
            return False
        raise


def _open_database(database: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(database))}?mode=rw"  # also to play back the journal of a killed writer
    return sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)


def _set_aside(database: Path) -> None:
    """Move what is no database out of the way, and say so.

    An empty file holds nothing to keep: the new database is renamed onto it, so that others, which
    look at it without the lock, never find no file where there was one. Its journal goes: SQLite
    would play it back into the new database.
    """
    free = next(n for n in count(1) if not os.path.lexists(f"{database}.damaged-{n}"))
    aside = f"{database}.damaged-{free}"
    if database.exists() and database.stat().st_size:
        print(
            f"warning: {database} is no whole database; it is kept as {Path(aside).name}, and a "
            "new one made. `make mlflow` fills it from the results.",
            file=sys.stderr,
        )
        with suppress(FileNotFoundError):
            database.replace(aside)
    for end in ("-journal", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{database}{end}").replace(f"{aside}{end}")


@contextmanager
def store_failures_named() -> Iterator[None]:
    """Raise what goes wrong in the store as one MachineError with the first cause."""
    try:
        yield
    except SlowFeaturesError:
        raise
    except Exception as error:
        raise MachineError(f"MLflow, {paths.mlflow_database()}: {reason(error)}") from error


def _connect(database: Path) -> Store:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")  # errors reach us as exceptions
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    # SQLAlchemy unquotes the path. MLflow does not, and makes the folder that it reads there: with
    # the slashes quoted too, that is the current one.
    client = MlflowClient(f"sqlite:///{quote(str(database), safe='')}")
    artifacts = paths.mlflow_artifacts().as_uri()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        with suppress(MlflowException):  # another process may just have made it
            client.create_experiment(EXPERIMENT, artifact_location=artifacts)
        experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment.lifecycle_stage == "deleted":  # as the UI does it; its name stays taken
        raise MachineError(
            f"{database}: its experiment {EXPERIMENT} was deleted; to bring it back: mlflow "
            f"experiments restore --experiment-id {experiment.experiment_id}, with "
            f"MLFLOW_TRACKING_URI=sqlite:///{database.name}"
        )
    if experiment.artifact_location != artifacts:
        _follow_moved_checkout(database, experiment.artifact_location, artifacts)
    return Store(client, experiment.experiment_id)


def _follow_moved_checkout(database: Path, old: str, new: str) -> None:
    """Point the store's absolute artifact addresses to where the checkout lies now.

    MLflow has no call for it, and would go on writing into the folder that was moved or copied.
    """
    with closing(sqlite3.connect(database, timeout=LOCK_SECONDS)) as connection, connection:
        connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?", (new, old)
        )
        connection.execute(
            "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
            "WHERE substr(artifact_uri, 1, ?) = ?",
            (new, len(old) + 1, len(old) + 1, f"{old}/"),
        )
