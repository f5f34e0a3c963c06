"""The files of a result: their names, and the one place that reads them.

A result has three parts. `train/`: the loss curve and a summary; the weights stay where they were
made. `probe/`: errors, decoded paths, how the states move. `run.json`: what differs from one run to
the next, as seconds, machine and git revision, and so never counts for anything that is hashed.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, TypeAdapter, ValidationError

from slow_features import paths
from slow_features.errors import InputError
from slow_features.files import sha256_file, write_json
from slow_features.probe.result import Paths, ProbeResult, read_paths, read_result

TRAIN, PROBE = "train", "probe"  # the two steps, and their folders
WEIGHTS_FILE = "model.safetensors"
CURVES_FILE = "curves.csv"
SUMMARY_FILE = "train.json"
RUN_FILE = "run.json"
RESULT_FILE = "result.json"
METRICS_FILE = "metrics.json"
PATHS_FILE = "paths.json"
STEPS_FILE = "rmse_by_step.csv"
DYNAMICS_FILE = "dynamics.json"
ADAM_FILE = "result_adam.json"
CURVE_COLUMNS = {"step", "epoch", "loss"}  # of every model; the terms of its loss are beside them
_SEAL = "sha256.json"
NOT_RECORDED = (WEIGHTS_FILE, RUN_FILE, _SEAL)  # git has dvc.lock; the run has a place of its own


@dataclass(frozen=True)
class Place:
    """Where the three parts of a result lie."""

    train: Path
    probe: Path
    run: Path

    @classmethod
    def recorded(cls, name: PurePath) -> Place:
        """Return the place in git of a result: scale/model/family/cell, or "experiment"."""
        results = paths.RESULTS
        run = results / "runs" / name
        return cls(
            results / TRAIN / name, results / PROBE / name, run.with_name(f"{run.name}.json")
        )

    @classmethod
    def below(cls, folder: Path) -> Place:
        """Return the places in a folder that holds one result alone, with its weights."""
        return cls(folder / TRAIN, folder / PROBE, folder / TRAIN / RUN_FILE)

    @property
    def weights(self) -> Path:
        """The file of weights, where the place has it."""
        return self.train / WEIGHTS_FILE


class Summary(BaseModel):
    """Content of train.json: what was trained, on what, and where it ended."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    identity: str
    settings: dict[str, Any]
    data_checksum: str
    noise_source: str
    weights_checksum: str
    steps: int
    sequences: int
    final: dict[str, float]
    weights_moved: dict[str, float]


class RunRecord(BaseModel):
    """Content of run.json: what differs from one run of the same training to the next.

    arithmetic: of convolutions and products, which `precision: auto` leaves to the machine; None
    in records from before it was noted. git_revision: of the code that trained, None if unknown.
    taken_over: revisions whose code was shown to compute the same, and whose result this has become
    since.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    started: str
    seconds: float
    sequences_per_second: float
    device: str
    threads: int
    arithmetic: Literal["float32", "bfloat16"] | None = None
    machine: dict[str, str | int]
    packages: dict[str, str | None]
    git_revision: str | None
    taken_over: list[str] = []

    @property
    def host(self) -> str | None:
        """The name of the machine that trained; None in a record of before it was noted."""
        name = self.machine.get("host")
        return None if name is None else str(name)

    @property
    def computer(self) -> str:
        """The machine in words, as pages show it."""
        named = f"{self.host}: " if self.host else ""
        return f"{named}{self.machine['cpu']}, {self.machine['cores']} cores"

    @property
    def revision(self) -> str:
        """The revision in words, as pages show it."""
        return self.git_revision or "unknown: trained outside git"


@dataclass(frozen=True)
class Outputs:
    """What one training and its evaluation left behind.

    curve: one row of loss terms per window of steps, empty if nothing is trained. adam: the result
    with the published probe. dynamics: how the encodings move and what they hold, see
    probe.dynamics and probe.contents.
    """

    result: ProbeResult
    paths: Paths
    summary: Summary
    curve: list[dict[str, float]]
    run: RunRecord
    adam: ProbeResult | None = None
    dynamics: dict[str, float] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float]:
        """The headline numbers, as metrics.json has them."""
        return self.result.flat(self.dynamics)

    @property
    def arithmetic(self) -> str:
        """The arithmetic that was used; of a record that does not note it, the one asked for."""
        return self.run.arithmetic or self.summary.settings["precision"]


def read_outputs(place: Place) -> Outputs:
    """Read a result.

    Raises InputError for a file that is missing or damaged, and for an evaluation of other weights
    than the training's.
    """
    adam = place.probe / ADAM_FILE
    summary, curve, run = read_training(place)
    return Outputs(
        result=_read_result_of(summary, place.probe / RESULT_FILE),
        paths=read_paths(place.probe / PATHS_FILE),
        summary=summary,
        curve=curve,
        run=run,
        adam=_read_result_of(summary, adam) if adam.exists() else None,
        dynamics=read_numbers(place.probe / DYNAMICS_FILE),
    )


def read_training(place: Place) -> tuple[Summary, list[dict[str, float]], RunRecord]:
    """Read what a training left: summary, loss curve, run. Raises as `read_outputs`."""
    summary, curve = read_summary(place.train), read_curve(place.train / CURVES_FILE)
    if summary.final != (curve[-1] if curve else {}):
        raise _unreadable(place.train / CURVES_FILE, f"does not end as {SUMMARY_FILE} says")
    return summary, curve, read_run(place.run)


def _read_result_of(summary: Summary, file: Path) -> ProbeResult:
    result = read_result(file)
    if result.weights_checksum != summary.weights_checksum:
        raise InputError(
            f"{file}: evaluates other weights than {summary.identity} has; run the probe stage "
            "again"
        )
    return result


def read_summary(train: Path) -> Summary:
    """Read train.json of a folder. Raises InputError when it is missing or damaged."""
    return _read(train / SUMMARY_FILE, Summary)


def read_run(file: Path) -> RunRecord:
    """Read a run.json. Raises InputError when it is missing or damaged."""
    return _read(file, RunRecord)


def read_curve(file: Path) -> list[dict[str, float]]:
    """Read a loss curve: a CSV of numbers with a header; empty cells are left out.

    Raises InputError when it is missing or something else.
    """
    try:
        with file.open(newline="\n") as stream:
            reader = csv.DictReader(stream, strict=True)
            rows = [{name: float(cell) for name, cell in row.items() if cell} for row in reader]
        header = dict.fromkeys(reader.fieldnames or ())
        if any(CURVE_COLUMNS - row.keys() for row in (header, *rows)):
            raise ValueError(f"without {', '.join(sorted(CURVE_COLUMNS))}")
        if not all(math.isfinite(value) for row in rows for value in row.values()):
            raise ValueError("a value is not finite")
        return rows
    except OSError as error:
        raise _unreadable(file, error.strerror or "cannot be read") from None
    except (ValueError, TypeError, csv.Error) as error:
        raise _unreadable(file, f"not a table of numbers ({error})") from None


def errors_by_step(result: ProbeResult) -> str:
    """Return the error by time step as CSV: the probe and always answering the centre, px."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["frame", "rmse_px", "centre_rmse_px"])
    errors = zip(result.pred.per_step_px, result.centre.per_step_px, strict=True)
    writer.writerows((frame, *pair) for frame, pair in enumerate(errors))
    return text.getvalue()


def seal(folder: Path) -> None:
    """Write the SHA-256 of every file of a folder into it: what `damage` compares with."""
    write_json(folder / _SEAL, _checksums(folder))


def damage(folder: Path) -> str | None:
    """Return the name of a file that is not as it was sealed, missing or new; None if all are."""
    for entry in folder.iterdir():
        if not entry.is_file():  # a pipe would be waited for
            return entry.name
    try:
        sealed = json.loads((folder / _SEAL).read_bytes())
    except (OSError, ValueError, RecursionError):
        return _SEAL
    found = _checksums(folder)
    if not isinstance(sealed, dict):
        return _SEAL
    return next((n for n in sorted(sealed | found) if sealed.get(n) != found.get(n)), None)


def _checksums(folder: Path) -> dict[str, str]:
    return {f.name: sha256_file(f) for f in sorted(folder.iterdir()) if f.name != _SEAL}


def _read(file: Path, content: type[BaseModel]) -> Any:
    try:
        return content.model_validate_json(file.read_bytes())
    except OSError as error:
        raise _unreadable(file, error.strerror or "cannot be read") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise _unreadable(file, f"not as it was written ({where}: {first['msg']})") from None


def read_numbers(file: Path) -> dict[str, float]:
    """Read one flat JSON object. Raises InputError when it is missing or something else."""
    try:
        return TypeAdapter(dict[str, FiniteFloat]).validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise _unreadable(file, f"not a table of numbers ({type(error).__name__})") from None


def _unreadable(file: Path, reason: str) -> InputError:
    return InputError(f"{file}: {reason}; run the stage that writes it, or git restore {file}")
