"""Standard streams that are closed or full: what is said on the way never ends the work."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO


class Forgiving:
    """A stream whose writes never fail: what cannot be written is lost, and nothing else is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as far as the stream takes it."""
        with suppress(OSError, ValueError):  # ValueError: somebody has closed it
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand over what is held back, as far as the stream takes it."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def make_streams_safe() -> None:
    """Give this process streams that can be written to, for the rest of its life.

    A closed one (`2>&-`) leads nowhere: the next file opened would otherwise take its number, and
    what a library says would end up in it. Writing to stderr never fails, also on a full disk.
    A character that the encoding of stdout lacks is escaped.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    if not isinstance(sys.stderr, Forgiving):
        sys.stderr = Forgiving(sys.stderr)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
