"""One process at a time, and a refusal in one line for the second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from slow_features.errors import MachineError


@contextmanager
def only_one(file: Path, refusal: str, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock of `file` for a while; the kernel frees the lock of a killed process.

    patience: seconds to wait for another holder. Raises MachineError(refusal) after them.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        raise MachineError(refusal) from None
    try:
        yield
    finally:
        lock.release()
