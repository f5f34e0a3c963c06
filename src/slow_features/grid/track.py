"""One MLflow run for every result on disk, filled in from what DVC has; nothing twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from slow_features import paths, tracking
from slow_features.config.load import load_config
from slow_features.config.schema import Experiment
from slow_features.experiment import PROBE, TRAIN
from slow_features.files import write_json
from slow_features.grid.cells import Cell, cells_of, scales
from slow_features.probe.result import read_result
from slow_features.probe.stage import PATHS_FILE, RESULT_FILE
from slow_features.training.train import COST_FILE, CURVES_FILE, SUMMARY_FILE, WEIGHTS_FILE
from slow_features.weights import read_description


def track(scale: str) -> int:
    """Make sure that each finished cell of a scale has its run; return how many were written.

    Idempotent: a run that is there is left alone. The runs of a noise setting share the tag
    `setting`, those of a method the tag `model`, so the MLflow UI groups by either.
    """
    entries = [_cell_entry(cell) for cell in cells_of(scale) if _finished(cell.output("probe"))]
    written = tracking.backfill(entries)
    write_json(paths.GRID_MARKERS / f"{scale}.json", {"runs": [e.identity for e in entries]})
    return written


def track_everything() -> int:
    """Close runs of dead processes, then fill in the experiment and every scale that has results.

    Returns how many runs were written.
    """
    tracking.close_stale_runs()
    written = sum(track(scale) for scale in scales() if (paths.GRID_OUTPUTS / scale).is_dir())
    if _finished(paths.OUTPUTS / PROBE):
        config = load_config(["params.yaml"]).config
        train, probe = paths.OUTPUTS / TRAIN, paths.OUTPUTS / PROBE
        written += tracking.backfill([_entry(config, "experiment-train", train, probe, {})])
    return written


def _finished(probe: Path) -> bool:
    return (probe / RESULT_FILE).exists()


def _cell_entry(cell: Cell) -> tracking.Entry:
    tags = {
        "scale": cell.scale,
        "setting": f"{cell.family} {cell.alpha}",
        "variant": cell.variant,
        "cell": str(cell.path),
    }
    stage = f"train@{cell.scale}-{cell.family}-{cell.model_type}"
    entry = _entry(cell.config, stage, cell.output("train"), cell.output("probe"), tags)
    return replace(entry, identity=cell.run_identity(entry.identity))


def _entry(
    config: Experiment, stage: str, train: Path, probe: Path, tags: dict[str, str]
) -> tracking.Entry:
    result = read_result(probe / RESULT_FILE)
    summary = json.loads((train / SUMMARY_FILE).read_text())
    cost = json.loads((train / COST_FILE).read_text())
    return tracking.Entry(
        config=config,
        stage=stage,
        identity=summary["identity"],
        metrics={
            **result.flat(),
            "rmse_by_step_px": result.pred.per_step_px,
            "sequences_per_second": cost["sequences_per_second"],
        },
        tags=tags
        | {
            "data_checksum": result.data_checksum,
            "weights_checksum": result.weights_checksum,
            "git_revision": read_description(train / WEIGHTS_FILE).get("git_revision"),
        },
        curve=train / CURVES_FILE if summary["steps"] else None,
        artifacts=(probe / RESULT_FILE, probe / PATHS_FILE),
    )
