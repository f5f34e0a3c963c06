"""The record of a result in git: its small files, without weights, kept while they are current.

A stage of DVC leaves nothing else. A record whose identities are those of the settings and of the
code counts as done, so a fresh clone, which has the records and an empty store, runs nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path, PurePath

from slow_features.errors import InputError
from slow_features.files import atomic_folder, write_bytes
from slow_features.identity import other_settings
from slow_features.results import files
from slow_features.results.files import PROBE, TRAIN, Place, Summary
from slow_features.results.store import StoredCell


def is_recorded(name: PurePath, cell: StoredCell, step: str = PROBE) -> bool:
    """Return whether what is in git is this cell's: its training, with step "probe" all of it.

    A file that is missing, damaged or contradicts the others makes it no record.
    """
    place = Place.recorded(name)
    try:
        if step == TRAIN:
            return _is_of(files.read_training(place)[0], cell)
        found = files.read_outputs(place)
        metrics = files.read_numbers(place.probe / files.METRICS_FILE)
    except InputError:
        return False
    return (
        _is_of(found.summary, cell)
        and found.result.identity == cell.evaluation
        and metrics == found.metrics
        and (found.adam is not None) == cell.adam_probe
        and _text(place.probe / files.STEPS_FILE) == files.errors_by_step(found.result)
    )


def _is_of(summary: Summary, cell: StoredCell) -> bool:
    """Return whether a training says that it is the cell's, by its name and by its settings."""
    named = summary.identity == cell.identity
    return named and not other_settings(cell.config, summary.settings)


def _text(file: Path) -> str | None:
    try:
        return file.read_text()
    except (OSError, ValueError):
        return None


def record(name: PurePath, source: Place, step: str) -> None:
    """Keep a training or an evaluation that lies in `source` as the result of this name."""
    target = Place.recorded(name)
    if step == TRAIN:
        # The training last: a killed call leaves another identity, and is done again.
        write_bytes(target.run, source.run.read_bytes())
        _copy(source.train, target.train)
    else:
        _copy(source.probe, target.probe)


def _copy(source: Path, target: Path) -> None:
    """Replace a folder by the small files of another."""
    with atomic_folder(target) as beside:
        for file in sorted(source.iterdir()):
            if file.name not in files.NOT_RECORDED:
                shutil.copyfile(file, beside / file.name)


def hand_out(source: Place, folder: Path) -> None:
    """Copy a finished training with its weights to a folder of the user's, replacing it whole."""
    with atomic_folder(Place.below(folder).train) as beside:
        shutil.copytree(source.train, beside, dirs_exist_ok=True)


def remove_others(folder: Path, kept: set[Path]) -> None:
    """Remove what lies below a folder but for some files and folders: cells that are no more."""
    for file in sorted(folder.rglob("*"), reverse=True):
        if file.is_file() and not {file, file.parent} & kept:
            file.unlink()
        elif file.is_dir() and not any(file.iterdir()):
            file.rmdir()
