"""One MLflow run for every result in git, filled in from its files; nothing twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

from slow_features import paths, tracking
from slow_features.config.load import load_config
from slow_features.config.schema import Experiment
from slow_features.errors import InputError
from slow_features.files import write_json
from slow_features.grid.cells import Cell, cells_of, scales
from slow_features.results import files
from slow_features.results.files import Place


def track(scale: str) -> int:
    """Make sure that each result of a scale has its run; return how many were written.

    Idempotent: a run that is there is left alone. The runs of a noise setting share the tag
    `setting`, those of a method the tag `model`, so the MLflow UI groups by either.
    results/tracked/{scale}.json keeps which runs there are.
    """
    entries = [_cell_entry(cell) for cell in cells_of(scale) if _has_result(cell.path)]
    written = tracking.backfill(entries)
    write_json(paths.TRACKED / f"{scale}.json", {"runs": [e.identity for e in entries]})
    return written


def track_everything() -> int:
    """Close runs of dead processes, then fill in the experiment and every scale with results.

    Returns how many runs were written.
    """
    tracking.close_stale_runs()
    there = [scale for scale in scales() if (paths.RESULTS / files.PROBE / scale).is_dir()]
    written = sum(track(scale) for scale in there)
    if _has_result(paths.EXPERIMENT):
        config = load_config(["params.yaml"]).config
        place = Place.recorded(paths.EXPERIMENT)
        written += tracking.backfill([entry_of(config, "experiment-probe", place, {})])
    return written


def entry_of(
    config: Experiment, stage: str, place: Place, tags: Mapping[str, str | None]
) -> tracking.Entry:
    """Describe the run of a result. Raises InputError for files that are missing or damaged."""
    outputs = files.read_outputs(place)
    result, summary, run = outputs.result, outputs.summary, outputs.run
    stored = paths.cells() / summary.identity / files.TRAIN / files.WEIGHTS_FILE
    artifacts = [place.probe / files.RESULT_FILE, place.probe / files.PATHS_FILE]
    artifacts += [stored] if stored.is_file() else []
    return tracking.Entry(
        config=config,
        stage=stage,
        identity=summary.identity,
        metrics={
            **outputs.metrics,
            "rmse_by_step_px": result.pred.per_step_px,
            "sequences_per_second": run.sequences_per_second,
        },
        started=run.started,
        seconds=run.seconds,
        tags={
            **tags,
            "data_checksum": result.data_checksum,
            "weights_checksum": result.weights_checksum,
            "git_revision": run.git_revision,
        },
        curve=place.train / files.CURVES_FILE if summary.steps else None,
        artifacts=tuple(artifacts),
    )


def _has_result(name: PurePath) -> bool:
    return (Place.recorded(name).probe / files.RESULT_FILE).exists()


def _cell_entry(cell: Cell) -> tracking.Entry:
    tags = {
        "scale": cell.scale,
        "setting": f"{cell.family} {cell.alpha}",
        "variant": cell.variant,
        "cell": str(cell.path),
    }
    stage = f"train@{cell.scale}-{cell.model_type}"
    try:
        entry = entry_of(cell.config, stage, Place.recorded(cell.path), tags)
    except InputError as error:
        raise InputError(f"{cell.path}: {error}") from None
    return replace(entry, identity=cell.run_identity(entry.identity))
