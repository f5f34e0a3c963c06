"""MLflow's embedded store: one SQLite file per checkout, whole or not there.

MLflow's environment variables do not apply (MLFLOW_TRACKING_URI, MLFLOW_RUN_ID, ...): every
process of a checkout meets the same store.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from slow_features import paths
from slow_features.errors import MachineError, SlowFeaturesError
from slow_features.files import atomic_file
from slow_features.tracking.sink import reason

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

EXPERIMENT = "slow-features"
ALL = 50_000  # the most runs that MLflow returns at once
LOCK_SECONDS = 60


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
    one leaves half of it: so it is made as a hidden file that is renamed when it is complete.
    """
    database = paths.mlflow_database()
    if not database.exists():
        with store_lock():
            if not database.exists():
                with atomic_file(database) as partial:
                    _connect(partial)
    return _connect(database)


def store_lock() -> FileLock:
    """Return the lock that serialises the making of the store and of its runs."""
    return FileLock(f"{paths.mlflow_database()}.lock", timeout=LOCK_SECONDS)


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

    client = MlflowClient(f"sqlite:///{database}")
    artifacts = paths.mlflow_artifacts().as_uri()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        with suppress(MlflowException):  # another process may just have made it
            client.create_experiment(EXPERIMENT, artifact_location=artifacts)
        experiment = client.get_experiment_by_name(EXPERIMENT)
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
