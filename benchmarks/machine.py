"""On which machine, under which load, with which versions."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from slow_features.provenance import cores
from slow_features.training.machine import has_bfloat16


def describe():
    """Return what a reader needs to compare: processor, cores, memory, versions, load."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "bfloat16_in_hardware": has_bfloat16(torch.device("cpu")),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def _processor():
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
