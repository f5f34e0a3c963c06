"""Seconds to install every package and to import it first, compiled ahead by pip or when imported.

python -m benchmarks.installing [ROUNDS]: both ways in turn, each in an environment of its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

REQUIREMENTS = (
    ("--require-hashes", "--no-deps", "-r", "requirements/lock.txt"),
    ("-r", "requirements/torch.txt"),
)
IMPORTS = "import torch, mlflow, pandas, matplotlib.pyplot, dvc.repo"
WAYS = {"compiled ahead": (), "compiled when imported": ("--no-compile",)}


def seconds(flags: tuple[str, ...]) -> tuple[float, float]:
    """Return what an installation into a new environment takes, and the first imports after it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin/python")
        start = time.perf_counter()
        for requirements in REQUIREMENTS:
            line = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            subprocess.run([*line, *flags, *requirements], check=True, stderr=subprocess.DEVNULL)
        installed = time.perf_counter()
        subprocess.run([python, "-c", IMPORTS], check=True)
        return installed - start, time.perf_counter() - installed


def main(rounds: int) -> None:
    """Print the median of each way."""
    found = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, flags in WAYS.items():
            found[way].append(seconds(flags))
            installing, importing = (median(part) for part in zip(*found[way], strict=True))
            print(f"{way}: installing {installing:.0f} s, first imports {importing:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1)
