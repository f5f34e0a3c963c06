"""Results taken over by code that computes the same: a refactoring does not cost hours.

Old and new code train short cells on this machine. Where every byte is the same, the recorded
results of the old code become those of the new, without being computed again.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from slow_features import paths
from slow_features.closure import PACKAGE
from slow_features.config.load import load_config
from slow_features.errors import InputError
from slow_features.files import atomic_folder, write_json, write_text
from slow_features.grid.cells import cells_of
from slow_features.grid.definition import load_grid
from slow_features.grid.reproduce import only_runner, run_dvc
from slow_features.grid.run import stored
from slow_features.probe.result import read_result
from slow_features.provenance import git_revision
from slow_features.results import files, trials
from slow_features.results.files import PROBE, TRAIN, Place
from slow_features.results.record import is_recorded
from slow_features.results.store import StoredCell, place_of
from slow_features.results.versions import TakeoverError, Version, ask, versions


def take_over() -> str:
    """Give the results in git that are of older code to the code as it is, if it is equal.

    Returns in words what was done. Raises TakeoverError, with nothing changed, when a short
    training leaves other bytes; InputError when git does not have the code of any of the results.
    What was killed half-way is finished by the same call.
    """
    with only_runner(), tempfile.TemporaryDirectory(prefix="slow-features-") as folder:
        cells = trials.named_cells()
        stale = {name: cell for name, cell in cells.items() if not _is_current(name, cell)}
        said = _take_over_stale(stale, Path(folder)) if stale else ["no result is of older code"]
        if run_dvc("repro", "--quiet", "--single-item", "code", *_complete_stages()):
            raise TakeoverError("dvc repro failed; run the same command again")
    return "\n".join(said)


def _take_over_stale(stale: Mapping[PurePath, StoredCell], folder: Path) -> list[str]:
    print(f"results of older code or other settings: {len(stale)}", file=sys.stderr)
    for old in versions(folder):
        try:
            was = ask("identities", [str(name) for name in stale], old)[0]
        except TakeoverError:  # older than this way of asking
            continue
        found = [name for name, cell in stale.items() if _is_of(name, cell, was.get(str(name)))]
        if found:
            break
    else:
        raise InputError(
            f"{', '.join(map(str, [*stale][:3]))}: of settings or code that git does not have; "
            "allowed: results that are committed after their code; others: `make reproduce`"
        )
    _require_equal({name: stale[name] for name in found}, old, folder)
    revision = git_revision()
    for name in found:
        _take_over(name, stale[name], was[str(name)], revision)
    left = [f"left alone, of other settings or code: {name}" for name in stale if name not in found]
    taken = f"results of {old.name} that are now those of {revision}: {len(found)}; commit them"
    return [taken, *left]


def _recorded(name: PurePath) -> list[str]:
    """Return the identities of a record: of its training and its evaluation, as far as it has."""
    place, found = Place.recorded(name), []
    if place.train.is_dir():
        found.append(files.read_summary(place.train).identity)
        if place.probe.is_dir():
            found.append(read_result(place.probe / files.RESULT_FILE).identity)
    return found


def _is_current(name: PurePath, cell: StoredCell) -> bool:
    """Return whether a record is of the code as it is; what is not recorded needs nothing."""
    had = _recorded(name)
    return had == [cell.identity, cell.evaluation][: len(had)]


def _is_of(name: PurePath, cell: StoredCell, was: Sequence[str] | None) -> bool:
    """Return whether a record is of a version's code, or was, half-way, given to the code here."""
    pairs = zip(_recorded(name), was or (), (cell.identity, cell.evaluation), strict=False)
    return was is not None and all(had in (old, new) for had, old, new in pairs)


def _require_equal(cells: Mapping[PurePath, StoredCell], old: Version, folder: Path) -> None:
    """Raise TakeoverError unless old and new code leave the same bytes for every kind of cell."""
    new = Version("the code here", PACKAGE.parent, folder / "here")
    asked = trials.one_of_each_kind(cells)
    print(f"{len(asked)} short trainings with {old.name} and with {new.name}", file=sys.stderr)
    for (name, settings, _), *folders in zip(asked, *ask("trials", asked, old, new), strict=True):
        for one, other in zip(*folders, strict=True):
            file = trials.first_difference(Path(one), Path(other))
            if file is not None:
                raise TakeoverError(
                    f"{settings['model_type']}: a short training as {name} leaves another {file} "
                    f"than with {old.name}; nothing is taken over"
                )


def _take_over(name: PurePath, cell: StoredCell, was: Sequence[str], revision: str | None) -> None:
    """Give a record, and what the store has of it, the cell's identities.

    File by file, those that tell whose a record is last: a killed takeover finds it again.
    """
    texts = dict(zip(was, (cell.identity, cell.evaluation), strict=True))
    before, here, record = place_of(*was), cell.place, Place.recorded(name)
    if before.train.is_dir():
        with cell.lock():
            for old, new in ((before.train, here.train), (before.probe, here.probe)):
                if (old == new or not new.exists()) and files.damage(old) is None:
                    _copy_in_store(old, new, texts, revision)
    write_json(record.run, _noted(record.run, revision))
    for folder in (record.probe, record.train):
        for file in sorted(folder.glob("*.json"), reverse=True):  # result_adam before result
            write_text(file, _renamed(file, texts))


def _copy_in_store(old: Path, new: Path, texts: Mapping[str, str], revision: str | None) -> None:
    with atomic_folder(new) as beside:
        for file in old.iterdir():
            target = beside / file.name
            if file.name == files.RUN_FILE:
                write_json(target, _noted(file, revision))
            elif file.suffix == ".json":
                write_text(target, _renamed(file, texts))
            else:
                _link(file, target)
        files.seal(beside)


def _link(file: Path, target: Path) -> None:
    """Let weights lie in the store once: nothing in it is ever written in place."""
    try:
        os.link(file, target)
    except OSError:  # a disk without links
        shutil.copyfile(file, target)


def _renamed(file: Path, texts: Mapping[str, str]) -> str:
    """Return the content of a JSON file with other identities."""
    content = file.read_text()
    for old, new in texts.items():
        content = content.replace(f'"{old}"', f'"{new}"')
    return content


def _noted(run: Path, revision: str | None) -> dict[str, Any]:
    """Return the content of a run with the revision that takes its result over, once."""
    content = json.loads(run.read_bytes())
    if content["taken_over"][-1:] != [revision]:
        content["taken_over"].append(revision)
    return content


def _complete_stages() -> Iterator[str]:
    """Yield the stages that have nothing to compute: each cell is recorded as the code has it."""
    config = load_config(["params.yaml"]).config
    for step in (TRAIN, PROBE):
        for model_type in load_grid(config.scale)["models"]:
            cells = cells_of(config.scale, model_type=model_type)
            if cells and all(is_recorded(cell.path, stored(cell), step) for cell in cells):
                yield f"{step}@{config.scale}-{model_type}"
        if is_recorded(paths.EXPERIMENT, StoredCell(config), step):
            yield f"experiment-{step}"
