"""What a long training asks of its machine, as MLflow shows it under "System metrics"."""

from __future__ import annotations

import os
import sys
import time

import psutil

from slow_features.tracking.charts import SYSTEM

ENABLE = "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"  # MLflow's own: true from the start on, or false
LONG_SECONDS = 600.0  # a training that takes longer is measured without being asked
_EVERY_SECONDS = 30.0
_MEGABYTE = 1e6


class MachineLoad:
    """Looks at the machine when it is asked to, in the training's own thread.

    MLflow's monitor is a thread that wakes up beside the training. Here a training of ten minutes
    or more is looked at when it writes its loss curve anyway: percentages are means since the last
    look, and a short cell pays nothing.
    """

    def __init__(self) -> None:
        wanted = os.environ.get(ENABLE, "").lower()
        self._never = wanted == "false"
        self._due = time.monotonic() + (0.0 if wanted == "true" else LONG_SECONDS)
        self._process = psutil.Process()
        if not self._never:
            self._look()  # from here on percentages count

    def sample(self) -> dict[str, float]:
        """Return the load since the last sample by metric; nothing if it is too early for one."""
        if self._never or time.monotonic() < self._due:
            return {}
        self._due = time.monotonic() + _EVERY_SECONDS
        return {f"{SYSTEM}{name}": round(value, 1) for name, value in self._look().items()}

    def _look(self) -> dict[str, float]:
        """Return the load; nothing, now and later, where the machine does not tell it."""
        try:
            return self._measured()
        except (psutil.Error, OSError):
            self._never = True
            return {}

    def _measured(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        return {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "process_cpu_percentage": self._process.cpu_percent(),
            "process_memory_megabytes": self._process.memory_info().rss / _MEGABYTE,
            "system_memory_usage_megabytes": memory.used / _MEGABYTE,
            "system_memory_usage_percentage": memory.percent,
            **_on_gpu(),
        }


def _on_gpu() -> dict[str, float]:
    """Return the memory that this process holds on its GPU, if it has used one."""
    torch = sys.modules.get("torch")  # loaded by the training, if at all
    if torch is None or not torch.cuda.is_initialized():
        return {}
    return {"gpu_0_memory_usage_megabytes": torch.cuda.memory_reserved() / _MEGABYTE}
