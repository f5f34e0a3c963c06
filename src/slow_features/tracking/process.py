"""Which process writes a run, and whether it is still there."""

from __future__ import annotations

import os
import platform

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
