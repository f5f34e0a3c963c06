"""Which process writes something, and whether it is still there."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

import psutil

_CLOCK_SECONDS = 5.0  # a process's start, as the system reports it, may wander this much


def this_process() -> str:
    """Return this process as "host:pid:start"; the start tells a reused pid apart."""
    return f"{platform.node()}:{os.getpid()}:{psutil.Process().create_time():.0f}"


def has_ended(process: str) -> bool:
    """Tell whether the process of `this_process` is gone; False if it ran on another host."""
    host, pid, start = process.rsplit(":", 2)
    if host != platform.node():
        return False
    try:
        found = psutil.Process(int(pid))
        is_another = abs(found.create_time() - float(start)) > _CLOCK_SECONDS
        return is_another or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def file_mark() -> str:
    """Return this process as a part of a file's name, "place-pid-start".

    The place stands for the host and its space of process numbers: a container on the same folder
    counts its processes anew.
    """
    _, pid, start = this_process().rsplit(":", 2)
    return f"{_place()}-{pid}-{start}"


def marks_ended_process(mark: str) -> bool:
    """Tell whether the process of `file_mark` is gone; False if it cannot be seen from here."""
    place, pid, start = mark.split("-")
    return place == _place() and has_ended(f"{platform.node()}:{pid}:{start}")


def _place() -> str:
    try:
        numbers = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # no Linux
        numbers = ""
    return hashlib.sha256(f"{platform.node()} {numbers}".encode()).hexdigest()[:8]
