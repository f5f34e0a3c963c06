"""A run that is logged while it trains, and that never costs the training."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from slow_features.config.schema import ExperimentBase
from slow_features.errors import InterruptError, this_command
from slow_features.interrupt import stop_as_exit
from slow_features.process import this_process
from slow_features.tracking.describe import describe, origin
from slow_features.tracking.machine_load import MachineLoad
from slow_features.tracking.mlflow_sink import start
from slow_features.tracking.sink import Description, Metrics, Row, Sink, Status, one_line, reason
from slow_features.tracking.store import open_store
from slow_features.tracking.wandb_sink import WandbSink

FLUSH_SECONDS = 10.0
FLUSH_ROWS = 1000


class Run:
    """What a training logs; passed on to every tracker that still works."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = list(sinks)
        self._rows: list[Row] = []
        self._flushed_at = time.monotonic()
        self._load = MachineLoad() if sinks else None

    def log_curve(self, rows: Sequence[Row]) -> None:
        """Log rows {"step": 1, "epoch": 0, name: value}; a step that is there is skipped.

        Rows are held back for up to 10 seconds. After a resume hand over the whole curve that the
        checkpoint knows: what was held back when the process was killed is filled in.
        """
        self._rows += rows
        late = time.monotonic() - self._flushed_at > FLUSH_SECONDS
        if late or len(self._rows) >= FLUSH_ROWS:
            self.flush()

    def log_metrics(self, metrics: Metrics) -> None:
        """Log final values: numbers, or lists with one number per time step."""
        self.flush()
        self._each(lambda sink: sink.log_metrics(metrics))

    def log_artifact(self, path: Path | str) -> None:
        """Keep a copy of a file with the run."""
        self.flush()
        self._each(lambda sink: sink.log_artifact(Path(path)))

    def log_text(self, name: str, text: str) -> None:
        """Keep a text with the run, as a file of that name."""
        self.flush()
        self._each(lambda sink: sink.log_text(name, text))

    def flush(self) -> None:
        """Write the rows that are held back."""
        rows, self._rows = self._rows, []
        self._flushed_at = time.monotonic()
        if rows and self._load and (load := self._load.sample()):
            rows.append({"step": rows[-1]["step"], **load})
        if rows:
            self._each(lambda sink: sink.log_curve(rows))

    def finish(self, status: Status, failure: str | None = None) -> None:
        """End the run with a status; `run` does this."""
        self.flush()
        self._each(lambda sink: sink.finish(status, failure))

    def _each(self, action: Callable[[Sink], None]) -> None:
        """Do something with every tracker; one that fails is left out from then on."""
        for sink in list(self._sinks):
            try:
                action(sink)
            except Exception as error:
                self._sinks.remove(sink)
                _warn(sink.name, error)


@contextmanager
def run(
    config: ExperimentBase,
    *,
    stage: str,
    identity: str,
    tags: Mapping[str, str | None] | None = None,
    from_scratch: bool = False,
) -> Iterator[Run]:
    """Track a block of work as the run of an identity; see `mlflow_sink.start` for what it reuses.

    stage: "train" or "probe"; both log to the same run if the identity is the same.
    tags: more tags, as data_checksum.
    from_scratch: the training starts at its first step, not from a checkpoint.

    The run ends as FINISHED; as FAILED with the tag "failure" if the block raises; as KILLED on
    KeyboardInterrupt, SystemExit, InterruptError, SIGTERM and SIGHUP. A tracker that does
    not work (locked database, full disk) costs one line on stderr and nothing else: `backfill`
    makes up for it.
    Raises MachineError if the settings ask for Weights & Biases and it cannot start.
    """
    with stop_as_exit():
        own = {"process": this_process(), "output_path": config.output_path}
        more = {**origin(config), **own, **(tags or {})}
        typed = "dvc repro" if "DVC_STAGE" in os.environ else this_command()
        said = describe(config, stage, identity, more, command=f"`{typed}`")
        tracked = Run(_open_sinks(config, said, from_scratch))
        try:
            yield tracked
        except (KeyboardInterrupt, SystemExit, InterruptError) as error:
            tracked.finish("KILLED", f"{stage}: {one_line(error)}")
            raise
        except BaseException as error:
            tracked.finish("FAILED", f"{stage}: {one_line(error)}")
            raise
        tracked.finish("FINISHED")


def _open_sinks(config: ExperimentBase, description: Description, from_scratch: bool) -> list[Sink]:
    sinks: list[Sink] = []
    if config.wandb:  # first: it may refuse, and then nothing is written
        sinks.append(WandbSink(description, from_scratch))
    try:
        sinks.append(start(open_store(), description, from_scratch))
    except Exception as error:
        _warn("MLflow", error)
    return sinks


def _warn(tracker: str, error: Exception) -> None:
    print(
        f"warning: {tracker} does not work ({reason(error)}); the work goes on without it, "
        "its results are complete. `make mlflow` fills them in later.",
        file=sys.stderr,
    )
