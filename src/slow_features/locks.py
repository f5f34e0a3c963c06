"""One process at a time; a second one waits and says for what, or is refused in one line."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from slow_features.errors import MachineError

_SILENT_SECONDS = 2.0  # of waiting: a holder that is at work is through by then, one stopped is not


@contextmanager
def only_one(file: Path, refusal: str, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock of `file` for a while; the kernel frees the lock of a killed process.

    refusal: what is the matter if another process holds it. Said on stderr after 2 seconds of
    waiting, raised as MachineError after `patience` seconds; math.inf waits for ever.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        _acquire(lock, refusal, patience)
    except Timeout:
        raise MachineError(refusal) from None
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, refusal: str, patience: float) -> None:
    try:
        lock.acquire(timeout=min(patience, _SILENT_SECONDS))
    except Timeout:
        if patience <= _SILENT_SECONDS:
            raise
        # Text and newline in one write: several processes may say so at once, a line each.
        print(f"waiting for {lock.lock_file}: {refusal}\n", end="", file=sys.stderr)
        lock.acquire(timeout=-1 if patience == math.inf else patience - _SILENT_SECONDS)
