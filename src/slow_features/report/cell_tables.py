"""What there is to know about single cells: tables of all, and a card with the origin of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from slow_features.report.names import anchor, cell_name
from slow_features.report.results import CellResult, Results
from slow_features.report.settings import train_command
from slow_features.report.tables import NOT_RUN, NotRun, Table, Value
from slow_features.results.files import RESULT_FILE, Place, RunRecord

# Where `make mlflow` listens; 1 is the experiment that all runs are logged to.
_MLFLOW_RUNS = "http://127.0.0.1:5000/#/experiments/1/runs?searchFilter="


@dataclass(frozen=True)
class Card:
    """A cell's way back to its run. anchor: its id in the page. mlflow: None if it has no run."""

    anchor: str
    title: str
    name: str
    facts: Sequence[tuple[str, str]]
    command: str
    identity: str | None = None
    mlflow: str | None = None


def cells_table(results: Results) -> Table:
    """Return every cell with its errors."""
    columns = (
        "cell",
        "RMSE, px",
        "RMSE, unit square",
        "frame 0, px",
        "centre, px",
        "states",
        "noise of",
    )
    return Table(
        "cells",
        "Every cell: errors",
        "Frame 0: the probe on the encoding of frame 0 alone. States: how many independent "
        "directions those have that the probe was fitted on; collapsed if they are one constant.",
        columns,
        [_error_row(result) for result in results.cells],
        {columns[2]: 3} | dict.fromkeys((columns[1], *columns[3:5]), 2),
    )


def _error_row(result: CellResult) -> Sequence[Value]:
    cell = result.cell
    if result.outputs is None:
        return result.row_without_numbers(7)
    found = result.outputs.result
    return (
        cell,
        found.pred.rmse_px,
        found.pred.rmse_unit,
        found.enc.rmse_px,
        found.centre.rmse_px,
        found.states(),
        found.noise.source,
    )


def runs_table(results: Results) -> Table:
    """Return every cell with what differs from one run to the next: cost, machine, revision."""
    columns = (
        "cell",
        "sequences",
        "seconds",
        "sequences/s",
        "device",
        "threads",
        "arithmetic",
        "machine",
        "code",
    )
    return Table(
        "runs",
        "Every cell: what its training cost, and where it ran",
        "Of the training alone. Code: the git revision that trained; behind it, in brackets, those "
        "that were shown to compute the same and took the result over.",
        columns,
        [_run_row(result) for result in results.cells],
        dict.fromkeys(columns[2:4], 0),
    )


def _run_row(result: CellResult) -> Sequence[Value]:
    cell = result.cell
    if result.outputs is None:
        return NotRun((cell, NOT_RUN, *[None] * 7))
    outputs, run = result.outputs, result.outputs.run
    return (
        cell,
        outputs.summary.sequences,
        run.seconds,
        run.sequences_per_second,
        run.device,
        run.threads,
        outputs.arithmetic,
        run.computer,
        revisions(run),
    )


def revisions(run: RunRecord) -> str:
    """Return the revision that trained, and in brackets those that took the result over."""
    later = ", ".join(revision[:12] for revision in run.taken_over)
    return run.revision[:12] + f" ({later})" * bool(later)


def cell_cards(results: Results) -> list[Card]:
    """Return for every cell, run or not, what it is, what repeats it and where its run lies."""
    return [_card(result) for result in results.cells]


def _card(result: CellResult) -> Card:
    cell, outputs = result.cell, result.outputs
    identity = cell.run_identity(outputs.summary.identity) if outputs else None
    return Card(
        anchor=anchor(cell),
        title=cell_name(cell),
        name=str(cell.path),
        facts=_facts(result),
        command=train_command(cell.source, cell.config, f"runs/{cell.path}"),
        identity=identity,
        mlflow=mlflow_url(identity) if identity else None,
    )


def _facts(result: CellResult) -> list[tuple[str, str]]:
    """Return what is known about a cell, and where its result came from if it has one."""
    cell, outputs = result.cell, result.outputs
    facts = [
        ("settings", cell.source),
        ("changed in them", "; ".join(map(str, cell.changes)) or "nothing"),
        *([("embedding", note)] if (note := cell.config.model.size_note) else []),
        ("DVC stage", f"train@{cell.scale}-{cell.model_type}"),
    ]
    if outputs is None:
        return [("error", result.reason), *facts]
    error = outputs.result.pred
    return [
        ("error", f"{error.rmse_px:.2f} px, {error.rmse_unit:.3f} on the unit square"),
        *facts,
        ("result", str(Place.recorded(cell.path).probe / RESULT_FILE)),
        ("weights (SHA-256)", outputs.result.weights_checksum),
    ]


def mlflow_url(identity: str) -> str:
    """Return the address of a run in the MLflow that `make mlflow` starts."""
    return _MLFLOW_RUNS + quote(f'tags.identity = "{identity}"', safe="")
