"""A run in MLflow: found again by its identity, never doubled, written in bulk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from slow_features.tracking.charts import curve_name, metric_name
from slow_features.tracking.dataset import as_input
from slow_features.tracking.sink import Description, Metrics, Row, Status
from slow_features.tracking.store import Store, store_lock

if TYPE_CHECKING:
    from mlflow.entities import Run

CONTENT = "content"  # tag of a back-filled run: checksum of what was filled in
NOTE = "mlflow.note.content"  # what MLflow shows as the description of a run
FAILURE = "failure"  # tag of a run that failed: what went wrong


@dataclass(frozen=True)
class Span:
    """When a run that is filled in later really began and ended."""

    began: datetime
    ended: datetime

    def at(self, fraction: float) -> int:
        """Return a moment of it in MLflow's milliseconds; 0 is the beginning, 1 the end."""
        return int((self.began + (self.ended - self.began) * fraction).timestamp() * 1000)


class MlflowSink:
    """One open run in MLflow's store.

    span: what is logged is spread over it; without one, it happens now. ends: the run's end in
    MLflow's milliseconds, if it is not now.
    """

    name = "MLflow"

    def __init__(
        self, store: Store, run: Run, span: Span | None = None, ends: int | None = None
    ) -> None:
        self._client = store.client
        self.run_id, self._span, self._ends = run.info.run_id, span, ends
        self._old_names = set(run.data.metrics)
        self._logged: dict[str, dict[int, float]] = {}

    def log_curve(self, rows: Sequence[Row]) -> None:
        """Log the rows whose step is not there yet, a thousand values in a transaction."""
        points = {
            (curve_name(name), int(row["step"])): float(value)
            for row in rows
            for name, value in row.items()
            if name != "step"
        }
        new = {key: points[key] for key in points if key[1] not in self._points(key[0])}
        self._write(new, last_step=max((step for _, step in points), default=0))

    def log_metrics(self, metrics: Metrics) -> None:
        """Log final values; MLflow shows the newest one where a value has changed."""
        points = {
            (metric_name(name), step): float(value)
            for name, values in metrics.items()
            for step, value in enumerate(values if isinstance(values, Sequence) else [values])
        }
        self._write({key: points[key] for key in points if self._value(*key) != points[key]})

    def log_artifact(self, path: Path) -> None:
        """Keep a copy of a file; one of the same name is replaced."""
        self._client.log_artifact(self.run_id, str(path))

    def log_text(self, name: str, text: str) -> None:
        """Keep a text as a file; one of the same name is replaced."""
        self._client.log_text(self.run_id, text, name)

    def tag(self, name: str, value: str) -> None:
        """Set one tag."""
        self._client.set_tag(self.run_id, name, value)

    def finish(self, status: Status, failure: str | None = None) -> None:
        """End the run with a status, and a tag about what went wrong."""
        if failure:
            self.tag(FAILURE, failure)
        self._client.set_terminated(self.run_id, status, self._ends)

    def _value(self, name: str, step: int) -> float | None:
        return self._points(name).get(step)

    def _points(self, name: str) -> dict[int, float]:
        """Return what is logged of one metric, value by step; read once, then kept up to date."""
        if name not in self._logged:
            is_old = name in self._old_names
            history = self._client.get_metric_history(self.run_id, name) if is_old else []
            ordered = sorted(history, key=lambda metric: metric.timestamp)
            self._logged[name] = {metric.step: metric.value for metric in ordered}
        return self._logged[name]

    def _write(self, points: Mapping[tuple[str, int], float], last_step: int = 0) -> None:
        """Write values; with a span, spread over it by their step, else as of now."""
        from mlflow.entities import Metric

        def when(step: int) -> int:
            if self._span is None:
                return now
            return self._span.at(step / last_step if last_step else 1)

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, when(step), step) for (name, step), value in points.items()]
        self._client.log_batch(self.run_id, metrics=metrics, synchronous=True)
        for (name, step), value in points.items():
            self._points(name)[step] = value


def start(
    store: Store, description: Description, from_scratch: bool, span: Span | None = None
) -> MlflowSink:
    """Open the run of an identity: the one that is there, or a new one.

    A run that is there is continued, be it unfinished (killed, failed) or finished: what is logged
    already is not logged again. `from_scratch` puts it into MLflow's bin instead
    (`mlflow runs restore` brings it back) and starts a new one: the curve will be another one.
    span: when the work was done, if it is not being done now; a run that is there keeps its own
    times.
    """
    ends = span and span.at(1)
    client = store.client
    with store_lock():
        found = store.find(f"tags.identity = '{description.identity}'")
        if found and not from_scratch:
            run = found[0]
            span, ends = None, run.info.end_time if span else None
            _take_over(store, run, description)
        else:
            for old in found:
                client.delete_run(old.info.run_id)
            run = client.create_run(
                store.experiment_id,
                start_time=span and span.at(0),
                tags=_tags(description),
                run_name=description.name,
            )
    _add_parameters(store, run, description)
    if description.data:
        client.log_inputs(run.info.run_id, [as_input(description.data)])
    return MlflowSink(store, run, span, ends)


def _take_over(store: Store, run: Run, description: Description) -> None:
    from mlflow.entities import RunTag

    run_id = run.info.run_id
    store.client.update_run(run_id, status="RUNNING", name=description.name)
    for name in {CONTENT, FAILURE} & set(run.data.tags):
        store.client.delete_tag(run_id, name)
    tags = [RunTag(key, value) for key, value in _tags(description).items()]
    store.client.log_batch(run_id, tags=tags, synchronous=True)


def _tags(description: Description) -> dict[str, str]:
    return description.tags | {NOTE: description.note}


def _add_parameters(store: Store, run: Run, description: Description) -> None:
    """Log the parameters that the run has not: MLflow lets none change."""
    from mlflow.entities import Param

    missing = description.parameters.keys() - run.data.params.keys()
    parameters = [Param(key, description.parameters[key]) for key in sorted(missing)]
    store.client.log_batch(run.info.run_id, params=parameters, synchronous=True)
