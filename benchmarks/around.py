"""What a cell costs around its training: process, imports, data, MLflow, DVC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.requests import values

BATCH = 64
REPEATS = 3
STAGES = 11  # of the toy pipeline; the first one's cost is DVC's start


def measure(budget, data):
    """Return seconds: {"cell": by phase, "mlflow": {...}, "dvc": {...}}."""
    with tempfile.TemporaryDirectory() as home:
        found = {"cell": _phases(budget, data, Path(home), log=False)}
        if budget.whole_cell:
            found["mlflow"] = _mlflow(budget, data, Path(home), found["cell"])
            found["dvc"] = _dvc(Path(home) / "toy")
    return found


def _phases(budget, data, home, log):
    """Return the median seconds of each phase of a cell with a single step."""
    batch = min(BATCH, budget.sequences)
    few = [f"dataset_size={batch}", f"val_dataset_size={batch}", f"probing_cfg.sequences={batch}"]
    texts = [*values(budget, "VICReg", batch), *few, "vicreg.epochs=1", "threads=1"]
    command = [sys.executable, "-m", "benchmarks.cell", str(data), str(home / "cell")]
    command += [*(["--log"] if log else []), "--values", *texts]
    environment = os.environ | {"DVC_ROOT": str(home)}  # no checkpoint or run in this checkout
    runs = []
    for _ in range(REPEATS if budget.whole_cell else 1):
        started = time.perf_counter()
        done = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        found = json.loads(done.stdout)
        found["end Python"] = time.perf_counter() - started - sum(found.values())
        runs.append(found)
    return {phase: median(run[phase] for run in runs) for phase in runs[0]}


def _mlflow(budget, data, home, without):
    """Return what logging adds to a cell: its import, its database and its run."""
    first = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "from slow_features.tracking.store import open_store; open_store()"],
        env=os.environ | {"DVC_ROOT": str(home)},
        check=True,
        stderr=subprocess.DEVNULL,
    )
    created = time.perf_counter() - first
    logged = _phases(budget, data, home, log=True)
    return {
        "make the database, once": created,
        "log a training": sum(logged.values()) - sum(without.values()),
    }


def _dvc(folder):
    """Return DVC's own seconds, measured on a pipeline whose stages do nothing."""
    stages = {f"s{i}": {"cmd": f"touch {i}.txt", "outs": [f"{i}.txt"]} for i in range(STAGES)}
    folder.mkdir()
    _dvc_seconds(folder, "init", "--no-scm")
    (folder / "dvc.yaml").write_text(json.dumps({"stages": {"s0": stages.pop("s0")}}))
    one = _dvc_seconds(folder, "repro")
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    many = _dvc_seconds(folder, "repro")
    nothing = median(_dvc_seconds(folder, "repro") for _ in range(REPEATS))
    return {
        "repro of one stage": one,
        "each further stage": (many - one) / (STAGES - 2),
        "repro when nothing is to do": nothing,
    }


def _dvc_seconds(folder, *arguments):
    started = time.perf_counter()
    dvc = Path(sys.executable).parent / "dvc"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    subprocess.run([dvc, *arguments], cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started
