"""Weights gathered for a DVC remote: weights/SCALE/MODEL/FAMILY/CELL.safetensors.

The weights of a result lie in the store of the machine that trained, and git has their checksum.
Who has gathered and pushed them there, and pulled them elsewhere, does not train again: the store
takes the training back from them and from its record in git.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath

from slow_features import paths
from slow_features.errors import InputError
from slow_features.files import atomic_file, atomic_folder
from slow_features.results import files
from slow_features.results.files import Place

_SUFFIX = ".safetensors"


def gathered_file(name: PurePath) -> Path:
    """Return where the weights of a recorded cell are gathered."""
    return paths.WEIGHTS / name.parent / f"{name.name}{_SUFFIX}"


def gather(name: PurePath, weights: Path) -> bool:
    """Copy weights to where those of a recorded cell are gathered, unless they are there.

    Returns False, and copies nothing, when they are not the weights that git has recorded.
    """
    recorded, target = files.read_summary(Place.recorded(name).train), gathered_file(name)
    if _holds(target, recorded.weights_checksum):
        return True
    if not _holds(weights, recorded.weights_checksum):
        return False
    with atomic_file(target) as beside:
        shutil.copyfile(weights, beside)
    return True


def restore(identity: str, folder: Path) -> bool:
    """Make the folder of a finished training from its record and from gathered weights.

    Returns whether there are such. Gathered weights that are not those of the record are named on
    stderr and left alone.
    """
    for file, place in _candidates():
        try:
            summary = files.read_summary(place.train)
        except InputError as error:
            print(f"note: {error}", file=sys.stderr)
            continue
        if summary.identity != identity:
            continue
        if _holds(file, summary.weights_checksum):
            with atomic_folder(folder) as beside:
                shutil.copytree(place.train, beside, dirs_exist_ok=True)
                shutil.copyfile(place.run, beside / files.RUN_FILE)
                shutil.copyfile(file, beside / files.WEIGHTS_FILE)
                files.seal(beside)
            return True
        print(f"note: {file}: not the weights that git has recorded", file=sys.stderr)
    return False


def _candidates() -> Iterator[tuple[Path, Place]]:
    """Yield every gathered file whose cell is recorded, with the record."""
    home = paths.project_root() / paths.WEIGHTS
    for file in sorted(home.rglob(f"*{_SUFFIX}")):
        place = Place.recorded(file.relative_to(home).with_suffix(""))
        if place.run.is_file() and (place.train / files.SUMMARY_FILE).is_file():
            yield file, place


def _holds(file: Path, weights_checksum: str) -> bool:
    """Return whether a file holds the weights of this checksum, to the last bit."""
    from slow_features.weights import FORMAT, checksum, read_tensors

    try:
        return checksum(read_tensors(file, FORMAT).tensors) == weights_checksum
    except InputError:
        return False
