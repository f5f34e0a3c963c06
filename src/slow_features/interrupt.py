"""Ctrl-C, SIGTERM, SIGHUP and a parent that dies: how a process of ours is asked to stop.

SIGHUP comes when the terminal goes away, as with a lost ssh connection.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class StopRequest:
    """Whether a signal asked to stop: its number, or None."""

    signal_number: int | None = None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Note the stop signals instead of acting on them; a second one acts as usual.

    A SIGHUP that this process was started to ignore (nohup) stays ignored.
    """
    request = StopRequest()
    previous: dict[signal.Signals, object] = {}

    def note(number: int, _frame: object) -> None:
        request.signal_number = number
        signal.signal(number, previous[number])

    for number in STOP_SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue
        previous[number] = signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def stop_as_exit() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit, so that what they end can clean up and say so.

    A handler that is there stays, so an ignored SIGHUP (nohup) does; a thread other than the main
    one has none.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    unhandled = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if in_main_thread and signal.getsignal(number) is signal.SIG_DFL
    ]

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    for number in unhandled:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in unhandled:
            signal.signal(number, signal.SIG_DFL)


def tied(command: Sequence[str]) -> list[str]:
    """Return a command that does the same, but is asked to stop when this process dies.

    This file, run as a script, makes the request and becomes the command, so that a program that
    knows nothing of it is tied as well. Python's own way, between fork and exec, is unsafe in a
    process with threads.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def stop_with_parent(parent: int) -> None:
    """Ask the kernel for a SIGTERM when the process `parent`, which started this one, dies.

    A killed `dvc repro` would otherwise leave its training running, and the next one would race it.
    Linux; elsewhere nothing happens. The request outlives an exec.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the request was made
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    stop_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
