"""Two choices of the code, each beside the same code without it, in turns.

    python -m benchmarks.levers      # two minutes

The encoder's last linear layer in float32 (accuracy, at the price of some speed): bfloat16 steps of
VICReg, batch 64, one thread. torch's compiler left out: CPU seconds of a whole cell with one step.
Prints a Markdown table.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.budget import FULL
from benchmarks.requests import request, values, write_data
from benchmarks.turns import Side, take_turns, workers

BATCH = 64
PROCESSES = 5
_CELL = "from benchmarks.cell import main; main()"
_WITH_COMPILER = "import slow_features.training.machine as m; m.leave_compiler_out = lambda: None; "


def last_layer(data):
    """Return the median milliseconds of a step: the layer in bfloat16, and in float32 as it is."""
    texts = values(FULL, "VICReg", BATCH, "precision=bfloat16")
    with workers(2) as (rounded, exact):
        sides = {
            "rounded": Side([rounded], request("ours", "rounded_training_step", texts, data), 1),
            "as it is": Side([exact], request("ours", "training_step", texts, data), 1),
        }
        found = take_turns(sides, FULL.rounds, FULL.block_seconds)
    return [1e3 / found[side]["median"] for side in sides]


def compiler(data, folder):
    """Return the median CPU seconds of a cell's process: importing the compiler, and as it is."""
    few = [f"{key}={BATCH}" for key in ("dataset_size", "val_dataset_size")]
    few += [f"probing_cfg.sequences={BATCH}", "vicreg.epochs=1", "threads=1"]
    texts = [*values(FULL, "VICReg", BATCH), *few]
    codes, seconds = (_WITH_COMPILER + _CELL, _CELL), ([], [])
    for _ in range(PROCESSES):
        for code, found in zip(codes, seconds, strict=True):
            found.append(_cpu_seconds(code, [data, folder / "cell", "--values", *texts], folder))
    return [median(found) for found in seconds]


def _cpu_seconds(code, arguments, home):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"DVC_ROOT": str(home)},  # no checkpoint or run in this checkout
        check=True,
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    with tempfile.TemporaryDirectory() as home:
        data = Path(home) / "data"
        write_data(FULL, data)
        rows = {
            "a bfloat16 step, ms: last layer in float32": last_layer(data),
            "a cell's process, CPU s: compiler left out": compiler(data, Path(home)),
        }
    print("| choice | without | with | ratio |\n|---|---|---|---|")
    for name, (without, chosen) in rows.items():
        print(f"| {name} | {without:.3g} | {chosen:.3g} | x{without / chosen:.2f} |")


if __name__ == "__main__":
    main()
