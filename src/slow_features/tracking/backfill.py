"""Runs for results that were made without MLflow: by grid workers, or skipped by DVC."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from slow_features.config.schema import ExperimentBase
from slow_features.files import sha256_file
from slow_features.process import has_ended
from slow_features.tracking.charts import metric_name
from slow_features.tracking.describe import describe
from slow_features.tracking.mlflow_sink import CONTENT, MlflowSink, Span, start
from slow_features.tracking.sink import Description, Metrics, Row
from slow_features.tracking.store import open_store, store_failures_named

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class Entry:
    """One finished cell.

    metrics: final values; a list holds one per time step.
    curve: CSV with a column "step"; None if the model does not train.
    tags: what the result knows of its origin: data_checksum, weights_checksum, git_revision, ...
    artifacts: files to keep a copy of.
    started: when the training began, ISO 8601 with a time zone; None if the result does not know.
    seconds: how long it took; None if the result does not know.
    differs, command: what the run's description says, see `describe`.
    texts: more files, by name.
    complete: False for a result that does not know all of its settings: a finished run of the same
        weights and errors knows more, and stays.
    """

    config: ExperimentBase
    stage: str
    identity: str
    metrics: Metrics
    tags: Mapping[str, str | None]
    curve: Path | None = None
    artifacts: tuple[Path, ...] = ()
    started: str | None = None
    seconds: float | None = None
    differs: str | None = None
    command: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True

    def description(self) -> Description:
        """Return the run's name, parameters and tags."""
        said = self.differs, self.command
        return describe(self.config, self.stage, self.identity, self.tags, *said)

    def checksum(self) -> str:
        """Return a checksum of all that the run is made of."""
        files = [sha256_file(path) for path in (self.curve, *self.artifacts) if path]
        times = [self.started, self.seconds]
        texts = dict(self.texts)
        content = [asdict(self.description()), dict(self.metrics), files, texts, times]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def span(self) -> Span | None:
        """Return when the training ran; without a start, as if it ended now."""
        if self.seconds is None:
            return None
        took = timedelta(seconds=self.seconds)
        began = datetime.fromisoformat(self.started) if self.started else datetime.now(UTC) - took
        return Span(began, began + took)


def backfill(entries: Iterable[Entry]) -> int:
    """Make sure that each entry has a FINISHED run; return how many were written.

    A run that was back-filled from the same content is left alone, one from other content is
    replaced. A run that was logged live gets what it lacks. A run that is being logged right now
    by a living process is left to it. Killed in between, it can be called again.
    Raises MachineError if MLflow's store does not work.
    """
    written = 0
    with store_failures_named():
        store = open_store()
        runs = {run.data.tags.get("identity"): run for run in reversed(store.find())}
        for entry in entries:
            run, checksum = runs.get(entry.identity), entry.checksum()
            if run is None or not (_is_same(run, entry, checksum) or _is_alive(run)):
                # Of the same content: killed just before its end, so it goes on.
                replace = run is not None and run.data.tags.get(CONTENT, checksum) != checksum
                sink = start(store, entry.description(), replace, entry.span())
                _fill(sink, entry, checksum)
                written += 1
    return written


def _fill(sink: MlflowSink, entry: Entry, checksum: str) -> None:
    if entry.curve:
        sink.log_curve(read_curve(entry.curve))
    sink.log_metrics(entry.metrics)
    for path in entry.artifacts:
        sink.log_artifact(path)
    for name, text in entry.texts.items():
        sink.log_text(name, text)
    sink.tag(CONTENT, checksum)
    sink.finish("FINISHED")


def _is_same(run: Run, entry: Entry, checksum: str) -> bool:
    """Tell whether a run has all that an entry says."""
    if run.info.status != "FINISHED" or CONTENT not in run.data.tags:
        return False
    return run.data.tags[CONTENT] == checksum or (not entry.complete and _covers(run, entry))


def _covers(run: Run, entry: Entry) -> bool:
    """Tell whether a run has the weights and the errors of an entry, whatever else it knows."""
    weights = run.data.tags.get("weights_checksum") == entry.tags.get("weights_checksum")
    numbers = {metric_name(k): v for k, v in entry.metrics.items() if not isinstance(v, Sequence)}
    return weights and numbers.items() <= run.data.metrics.items()


def _is_alive(run: Run) -> bool:
    process = run.data.tags.get("process")
    return run.info.status == "RUNNING" and process is not None and not has_ended(process)


def read_curve(path: Path) -> list[Row]:
    """Read a CSV of numbers with a header; empty cells are left out."""
    with path.open(newline="") as file:
        return [
            {name: float(cell) for name, cell in row.items() if cell}
            for row in csv.DictReader(file)
        ]
