"""One MLflow run for every cell of a scale, filled in from what DVC has."""

from __future__ import annotations

import json

from slow_features import paths, tracking
from slow_features.files import write_json
from slow_features.grid.cells import Cell, cells_of
from slow_features.probe.result import read_result
from slow_features.probe.stage import PATHS_FILE, RESULT_FILE
from slow_features.training.train import COST_FILE, CURVES_FILE, SUMMARY_FILE, WEIGHTS_FILE
from slow_features.weights import read_description


def track(scale: str) -> int:
    """Make sure that each finished cell has its run; return how many were written.

    Idempotent: a run that is there is left alone. The runs of a noise setting share the tag
    `setting`, those of a method the tag `model`, so the MLflow UI groups by either.
    """
    entries = [_entry(cell) for cell in cells_of(scale) if _finished(cell)]
    written = tracking.backfill(entries)
    write_json(paths.GRID_MARKERS / f"{scale}.json", {"runs": [e.identity for e in entries]})
    return written


def _finished(cell: Cell) -> bool:
    return (cell.output("probe") / RESULT_FILE).exists()


def _entry(cell: Cell) -> tracking.Entry:
    train, probe = cell.output("train"), cell.output("probe")
    result = read_result(probe / RESULT_FILE)
    summary = json.loads((train / SUMMARY_FILE).read_text())
    cost = json.loads((train / COST_FILE).read_text())
    return tracking.Entry(
        config=cell.config,
        stage=f"train@{cell.scale}-{cell.family}-{cell.model_type}",
        identity=summary["identity"],
        metrics={
            **result.flat(),
            "rmse_by_step_px": result.pred.per_step_px,
            "sequences_per_second": cost["sequences_per_second"],
        },
        tags={
            "scale": cell.scale,
            "setting": f"{cell.family} {cell.alpha}",
            "variant": cell.variant,
            "cell": str(cell.path),
            "data_checksum": result.data_checksum,
            "weights_checksum": result.weights_checksum,
            "git_revision": read_description(train / WEIGHTS_FILE).get("git_revision"),
        },
        curve=train / CURVES_FILE if summary["steps"] else None,
        artifacts=(probe / RESULT_FILE, probe / PATHS_FILE),
    )
