"""What every tracker can do: the calls that a run passes on to each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from slow_features.tracking.dataset import Data

Status = Literal["FINISHED", "FAILED", "KILLED"]
Row = Mapping[str, float]  # one line of a curve: "step" and the values by name
Metrics = Mapping[str, float | Sequence[float]]  # a number, or a list with one per time step


@dataclass(frozen=True)
class Description:
    """What a run says of itself.

    identity: hash of the configuration; the key by which a run is found again.
    name: what lists of runs show.
    parameters: settings by dotted key.
    tags: model, noise, seed, origin: what runs are searched and grouped by.
    note: what the run is, its settings and its command, in Markdown.
    data: what it is trained on; None while nobody knows its checksum.
    """

    identity: str
    name: str
    parameters: dict[str, str]
    tags: dict[str, str]
    note: str
    data: Data | None = None


class Sink(Protocol):
    """One tracker with one open run."""

    name: str

    def log_curve(self, rows: Sequence[Row]) -> None:
        """Log the rows whose step is not there yet."""

    def log_metrics(self, metrics: Metrics) -> None:
        """Log final values; a value that is there and differs is replaced."""

    def log_artifact(self, path: Path) -> None:
        """Keep a copy of a file."""

    def log_text(self, name: str, text: str) -> None:
        """Keep a text with the run, as a file of that name."""

    def finish(self, status: Status, failure: str | None) -> None:
        """End the run; `failure` is one line about what went wrong."""


def one_line(error: BaseException) -> str:
    """Return an error as one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300].rstrip(": ")


def reason(error: BaseException) -> str:
    """Return an error's first cause as one line: what SQLite said, not what MLflow made of it."""
    while error.__cause__:
        error = error.__cause__
    return one_line(error)
