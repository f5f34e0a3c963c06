"""Cells on their way between stores: a finished training and evaluation, or a checkpoint.

A parcel is a zip of the store's own files, which are JSON, CSV and safetensors; each folder is
compared with the checksums inside it before it counts.
"""

from __future__ import annotations

import io
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from slow_features import paths
from slow_features.errors import MachineError
from slow_features.files import atomic_folder, write_bytes
from slow_features.results import files
from slow_features.results.store import CellIds, place_of

_STATE = "checkpoint.safetensors"


@contextmanager
def marker() -> Iterator[str]:
    """Leave a file of a random name in the store for a while; yield the name.

    Who sees it has this very store before it; a copy of the store, made earlier, has it not.
    """
    name = f"driver-{secrets.token_hex(8)}"
    file = paths.cells() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    for left in file.parent.glob("driver-*"):  # of a driver that was killed
        left.unlink(missing_ok=True)
    file.touch()
    try:
        yield name
    finally:
        file.unlink(missing_ok=True)


def is_marked(name: str) -> bool:
    """Return whether this process's store is the driver's."""
    return (paths.cells() / name).exists()


class State(NamedTuple):
    """How far a store is with a cell: its training is finished, or has a checkpoint of a time."""

    trained: bool
    checkpoint: int | None

    def __bool__(self) -> bool:
        """Whether there is something to go on from."""
        return self.trained or self.checkpoint is not None


def state_of(cell: CellIds) -> State:
    """Return how far this process's store is with a cell."""
    file = paths.checkpoint(cell.training)
    written = file.stat().st_mtime_ns if file.is_file() else None
    return State(place_of(*cell).train.is_dir(), written)


def pack(cell: CellIds) -> bytes | None:
    """Return what the store has of a cell, or the checkpoint of its training; None for neither."""
    found = [(f"{part}/{file.name}", file) for part, file in _finished_files(cell)]
    if not found and paths.checkpoint(cell.training).is_file():
        found = [(_STATE, paths.checkpoint(cell.training))]
    if not found:
        return None
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:  # stored: weights do not get smaller
        for name, file in found:
            archive.write(file, name)
    return content.getvalue()


def unpack(parcel: bytes, cell: CellIds) -> None:
    """Put a parcel into the store; what is finished there stays. Raises MachineError if damaged."""
    with zipfile.ZipFile(io.BytesIO(parcel)) as archive:
        for part, folder in _folders(cell).items():
            names = [name for name in archive.namelist() if name.startswith(f"{part}/")]
            if names and not folder.is_dir():
                with atomic_folder(folder) as beside:
                    for name in names:
                        (beside / PurePosixPath(name).name).write_bytes(archive.read(name))
                    _check(beside, part, cell)
        if state_of(cell).trained:
            shutil.rmtree(paths.checkpoint(cell.training).parent, ignore_errors=True)
        elif _STATE in archive.namelist():
            write_bytes(paths.checkpoint(cell.training), archive.read(_STATE))


def _check(folder: Path, part: str, cell: CellIds) -> None:
    bad = files.damage(folder)
    if not bad and part == files.TRAIN and files.read_summary(folder).identity != cell.training:
        bad = files.SUMMARY_FILE
    if bad:
        raise MachineError(f"{cell.training}/{part}/{bad}: damaged on its way between machines")


def _finished_files(cell: CellIds) -> list[tuple[str, Path]]:
    folders = [(part, folder) for part, folder in _folders(cell).items() if folder.is_dir()]
    return [(part, file) for part, folder in folders for file in sorted(folder.iterdir())]


def _folders(cell: CellIds) -> dict[str, Path]:
    place = place_of(*cell)
    return {files.TRAIN: place.train, files.PROBE: place.probe}
