"""Files that are whole or not there: a reader never sees half a file, whatever was killed.

A writer fills a hidden file beside the target (same folder, so same file system), brings it to
the disk and renames it onto the target; a rename is atomic. An error removes the hidden file. A
killed process leaves it behind as `.<stem>.<process>-<random>.partial<suffix>`, which nothing
reads; the next writer of the same target removes it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from slow_features.errors import InputError, MachineError
from slow_features.process import file_mark, marks_ended_process

NO_HANDLE_LEFT = (errno.EMFILE, errno.ENFILE)  # says nothing about the file that was to be opened

# What to do about the machine's refusals; any other OSError is raised as it is.
_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space or raise the quota",
    errno.EFBIG: "raise the limit on the size of a file",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "choose a folder that can be written",
    errno.EPERM: "choose a folder that can be written",
    errno.EEXIST: "a part of this path is a file or a link to nowhere; choose another",
    errno.ENOTDIR: "a part of this path is a file or a link to nowhere; choose another",
    errno.ELOOP: "a part of this path is a link to itself; choose another",
    errno.EISDIR: "this path is a folder; choose another",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "check the disk",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close some programs: the system has no file handle left",
}


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Yield a hidden path beside `path` to write to; after the block it becomes `path`.

    For writers that want a path (numpy, safetensors, matplotlib); the suffix is kept. The old file
    stays as it was if the block raises. Missing folders are made.
    Raises MachineError for a full disk or a folder that cannot be written.
    """
    path = Path(path)
    partial = _hidden_beside(path)
    with _refusals_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        try:
            yield partial
            _flush_to_disk(partial)
            partial.replace(path)
            _flush_to_disk(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Yield a hidden empty folder beside `path` to fill; after the block it becomes `path`.

    An existing `path` is replaced as a whole; a reader sees the old folder, for an instant none,
    then the new one. If the block raises, the old folder stays as it was.
    Raises MachineError as `atomic_file` does.
    """
    path = Path(path)
    partial, old = _hidden_beside(path), _hidden_beside(path)
    with _refusals_explained(path):
        if path.is_file():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        remove_leftovers(path)
        try:
            partial.mkdir(parents=True)
            yield partial
            for written in (*partial.rglob("*"), partial):
                _flush_to_disk(written)
            if path.exists():
                path.replace(old)
            partial.replace(path)
            _flush_to_disk(path.parent)
            _remove(old)  # not earlier: it is the only copy till now
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` atomically. Raises MachineError as `atomic_file` does."""
    with atomic_file(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path | str, content: str) -> None:
    """Write `content` as UTF-8 atomically. Raises MachineError as `atomic_file` does."""
    write_bytes(path, content.encode())


def write_json(path: Path | str, content: Any) -> None:
    """Write `content` as JSON whose bytes depend on its values alone: sorted keys, indent 2.

    Raises ValueError for NaN and infinity, which JSON has not, and MachineError as `atomic_file`.
    """
    text = json.dumps(content, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def check_writable(path: Path | str) -> None:
    """Refuse a path that cannot be written, before the work whose result it shall take.

    Writes a block without a name into the nearest folder that is there, and leaves nothing.
    Raises MachineError.
    """
    with _refusals_explained(path):
        folder = _nearest_folder(Path(path))
        try:
            with tempfile.TemporaryFile(dir=folder) as nameless:
                nameless.write(bytes(4096))
        except FileNotFoundError:  # no such thing as a new file: /proc
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM)) from None


def check_replaceable(folder: Path, what: str, mark: str) -> None:
    """Refuse a folder that is not empty and, without its file `mark`, is no earlier `what` of ours.

    Nor can a mount point be replaced, or a link to nowhere.
    Raises InputError, before work whose result would replace it whole.
    """
    if folder.is_symlink() and not folder.exists():
        raise InputError(f"{folder}: a link to nowhere; name another folder")
    if _is_mount_point(folder):
        raise InputError(f"{folder}: a mount point, which cannot be replaced; name one inside it")
    if (folder / mark).exists() or not folder.exists():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise InputError(
            f"{folder}: exists and is no {what}, so it is not replaced; name another folder"
        )


def check_space(path: Path | str, needed: int) -> None:
    """Refuse `needed` bytes at `path` if its disk has fewer. Raises MachineError.

    What killed writers of `path` have left is removed first.
    """
    remove_leftovers(Path(path))
    free = shutil.disk_usage(_nearest_folder(Path(path))).free
    if needed > free:
        raise MachineError(
            f"cannot write {path}: it takes {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
            "free some space or ask for less"
        )


def _nearest_folder(path: Path) -> Path:
    """Return the folder that is there and in which `path` or its first missing parent would be.

    A relative path is looked at from the current folder: one further up may be closed.
    """
    for folder in path.parents or (Path(".."),):  # "." has no parents, but lies somewhere
        if folder.is_dir():
            return folder
        if folder.exists() or folder.is_symlink():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def sha256_file(path: Path | str) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _refusals_explained(path: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        raise MachineError(
            f"cannot write {path}: {error.strerror} (errno {error.errno}); {_REMEDIES[error.errno]}"
        ) from error


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers of `path` have left beside it; a living one's stays."""
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    hidden = re.compile(rf"\.{stem}\.(\w+-\d+-\d+)-\w+\.partial{suffix}(-journal)?")
    for beside in path.parent.iterdir() if path.parent.is_dir() else ():
        found = hidden.fullmatch(beside.name)
        if found and marks_ended_process(found[1]):
            _remove(beside)


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder, as far as that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _is_mount_point(folder: Path) -> bool:
    """Tell whether something is mounted on a folder, a part of the same disk included."""
    mounted = {partition.mountpoint for partition in psutil.disk_partitions(all=True)}
    return os.path.ismount(folder) or str(folder.absolute()) in mounted


def _hidden_beside(path: Path) -> Path:
    """Return a name that no other process or thread uses, in the folder of `path`."""
    name = f".{path.stem}.{file_mark()}-{uuid.uuid4().hex[:8]}.partial{path.suffix}"
    return path.with_name(name)


def _flush_to_disk(path: Path) -> None:
    """Wait until a file's bytes, or a folder's list of names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
