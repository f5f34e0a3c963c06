"""One MLflow run for every result in git, filled in from its files; nothing twice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from slow_features import paths, tracking
from slow_features.config.load import load_config, validate
from slow_features.config.schema import Experiment
from slow_features.config.yaml_text import write_yaml_text
from slow_features.errors import InputError, MachineError, SlowFeaturesError
from slow_features.files import write_json
from slow_features.grid.cells import Cell, cells_of
from slow_features.grid.definition import scales
from slow_features.identity import other_settings
from slow_features.results import files
from slow_features.results.files import Place
from slow_features.results.model_card import CARD_FILE, model_card, stored_weights
from slow_features.tracking import Entry
from slow_features.tracking.describe import evaluation_settings, experiment_tags


def track(scale: str) -> int:
    """Make sure that each result of a scale has its run; return how many were written.

    Idempotent: a run that is there is left alone. The runs of a noise setting share the tag
    `setting`, those of a method the tag `model`, so the MLflow UI groups by either.
    results/tracked/{scale}.json keeps which runs there are. Raises SlowFeaturesError, after all
    others are written, that names the results that cannot be read.
    """
    cells = [cell for cell in cells_of(scale) if _has_result(cell.path)]
    entries, damaged = _readable(_cell_entry, cells)
    written = tracking.backfill(entries)
    write_json(paths.TRACKED / f"{scale}.json", {"runs": [e.identity for e in entries]})
    _complain(damaged)
    return written


def track_everything() -> int:
    """Close runs of dead processes, then fill in what has a result: scales, experiment, by hand.

    Returns how many runs were written. Raises as `track`, at the end.
    """
    tracking.close_stale_runs()
    written, problems = 0, []
    for scale in scales():
        if (paths.RESULTS / files.PROBE / scale).is_dir():
            try:
                written += track(scale)
            except TrackingError as error:
                problems.append(str(error))
    by_hand = sorted(Path("runs").rglob(f"{files.PROBE}/{files.RESULT_FILE}"))
    entries, damaged = _readable(_entry_by_hand, [file.parents[1] for file in by_hand])
    if _has_result(paths.EXPERIMENT):
        own, lost = _readable(_experiment_entry, [load_config(["params.yaml"]).config])
        entries, damaged = [*entries, *own], [*damaged, *lost]
    written += tracking.backfill(entries)
    _complain([*problems, *damaged])
    return written


EXPERIMENT_STAGE = "experiment-probe"
SETTINGS_FILE = "config.yaml"
_AGAIN = (
    f"`python stages/train.py --configs {SETTINGS_FILE} --values output_path=runs/again`, "
    "with that file of this run"
)


class TrackingError(SlowFeaturesError):
    """Some results cannot be read; all others have their run."""


def log_result(config: Experiment, stage: str, place: Place) -> None:
    """Give a result its run; a store that does not work costs one line and nothing else."""
    tags = experiment_tags(config) if stage == EXPERIMENT_STAGE else {}
    try:
        tracking.backfill([entry_of(config, stage, place, tags)])
    except MachineError as error:
        print(f"warning: {error}; the results are complete without it", file=sys.stderr)


def _readable(describe: Callable[[Any], Entry], results: Iterable) -> tuple[list[Entry], list[str]]:
    """Describe results; return the entries, and a line for each that cannot be read."""
    entries, damaged = [], []
    for result in results:
        try:
            entries.append(describe(result))
        except InputError as error:
            damaged.append(str(error))
    return entries, damaged


def _complain(damaged: Sequence[str]) -> None:
    if damaged:
        raise TrackingError("no run in MLflow for:\n  " + "\n  ".join(damaged))


def _entry_by_hand(folder: Path) -> Entry:
    """Describe a training by hand from what its own files say of it."""
    place = Place.below(folder)
    config = validate(files.read_summary(place.train).settings)
    unknown = dict.fromkeys(evaluation_settings(config))  # its files do not say them
    entry = entry_of(config, "probe", place, unknown)
    return replace(entry, complete=False)


def _experiment_entry(config: Experiment) -> Entry:
    place = Place.recorded(paths.EXPERIMENT)
    return entry_of(config, EXPERIMENT_STAGE, place, experiment_tags(config))


def entry_of(config: Experiment, stage: str, place: Place, tags: Mapping[str, str | None]) -> Entry:
    """Describe the run of a result.

    Raises InputError for files that are missing, damaged or of other settings than `config`.
    """
    outputs = files.read_outputs(place)
    other = other_settings(config, outputs.summary.settings)
    if other:
        raise InputError(
            f"{place.train}: made with other settings ({', '.join(other)}); run its stages again"
        )
    result, summary, run = outputs.result, outputs.summary, outputs.run
    stored = paths.cells() / summary.identity / files.TRAIN / files.WEIGHTS_FILE
    weights = stored_weights(summary, stored)
    artifacts = [place.probe / files.RESULT_FILE, place.probe / files.PATHS_FILE]
    artifacts += [weights] if weights else []
    return Entry(
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
            "arithmetic": outputs.arithmetic,
            "git_revision": run.git_revision,
            "host": run.host,
        },
        curve=place.train / files.CURVES_FILE if summary.steps else None,
        artifacts=tuple(artifacts),
        command=_AGAIN,
        texts={
            SETTINGS_FILE: write_yaml_text(config.model_dump()),
            CARD_FILE: model_card(summary, weights, result),
        },
    )


def _has_result(name: PurePath) -> bool:
    return (Place.recorded(name).probe / files.RESULT_FILE).exists()


def _cell_entry(cell: Cell) -> Entry:
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
    changes = f", with {'; '.join(map(str, cell.changes))}" if cell.changes else ""
    return replace(
        entry,
        identity=cell.run_identity(entry.identity),
        differs=f"those of {cell.source}{changes}",
        command=f"`python stages/cell.py {cell.path}`",
    )
