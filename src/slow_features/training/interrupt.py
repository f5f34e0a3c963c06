"""Ctrl-C and SIGTERM as a request to stop at the next step, not in the middle of one."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class StopRequest:
    """Whether a signal asked to stop: its number, or None."""

    signal_number: int | None = None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Note SIGINT and SIGTERM instead of acting on them; a second one acts as usual."""
    request = StopRequest()
    previous = {}

    def note(number: int, _frame: object) -> None:
        request.signal_number = number
        signal.signal(number, previous[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def stop_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the parent dies (Linux; elsewhere nothing happens).

    A killed `dvc repro` would otherwise leave its training running, and the next one would race it.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the request was made
        os.kill(os.getpid(), signal.SIGTERM)
