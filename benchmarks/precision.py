"""Does bfloat16 change the result? Final RMSE of four cells, three seeds, float32 beside bfloat16.

    python benchmarks/precision.py --folder /tmp/precision      # about half an hour on two cores

Writes precision.json, and prints a Markdown table. A cell that is there is not run again.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev

CELLS = {
    "VICReg changing": ("sweep_changing_uniform.(1.5).vicreg.best.yaml", "vicreg", 2),
    "SimCLR changing": ("sweep_changing_uniform.(1.5).simclr.best.yaml", "simclr", 2),
    "IDM fixed": ("sweep_fixed_uniform.(1.25).idm.best.yaml", "idm", 2),
    "RSSM fixed": ("sweep_fixed_uniform.(1.25).rssm.best.yaml", "rssm", 1),
}
SEEDS = (1, 2, 3)
PRECISIONS = ("float32", "bfloat16")
BATCH = 64


def command(cell, seed, precision, folder):
    """Return the command of one training with its probe; at batch 64, same rate per step."""
    file, section, epochs = CELLS[cell]
    values = [f"{section}.epochs={epochs}", f"seed={seed}", f"precision={precision}", "threads=1"]
    values += [f"dataset_batch_size={BATCH}", f"output_path={folder}"]
    if cell in ("SimCLR changing", "IDM fixed"):  # published at batch 256
        rate = {"SimCLR changing": 1.7954588193057708, "IDM fixed": 1.822142097895331}[cell]
        values.append(f"{section}.base_lr={rate * 256 / BATCH}")
    return [
        sys.executable,
        "stages/train.py",
        "--configs",
        f"reproduce_configs/{file}",
        "--values",
        *values,
    ]


def run_all(folder, at_once):
    """Run what is missing, `at_once` processes at a time."""
    jobs = [(c, s, p) for c in reversed(CELLS) for s in SEEDS for p in PRECISIONS]
    running = []
    for job in jobs:
        target = folder / "-".join(map(str, job)).replace(" ", "_")
        if (target / "probe" / "result.json").exists():
            continue
        while len(running) >= at_once:
            running = [process for process in running if process.poll() is None]
            if len(running) >= at_once:
                running[0].wait()
        running.append(subprocess.Popen(command(*job, target), stderr=subprocess.DEVNULL))
    for process in running:
        process.wait()


def collect(folder):
    """Return {cell: {precision: [RMSE px of each seed]}} and the same of seconds."""
    errors, seconds = {}, {}
    for cell in CELLS:
        for precision in PRECISIONS:
            for seed in SEEDS:
                target = folder / f"{cell}-{seed}-{precision}".replace(" ", "_")
                result = json.loads((target / "probe" / "result.json").read_text())
                cost = json.loads((target / "train" / "cost.json").read_text())
                errors.setdefault(cell, {}).setdefault(precision, []).append(
                    result["pred"]["rmse_px"]
                )
                seconds.setdefault(cell, {}).setdefault(precision, []).append(cost["seconds"])
    return errors, seconds


def table(errors):
    """Return the Markdown table: mean and spread of each precision, and their difference."""
    lines = ["| cell | float32, px (seeds) | bfloat16, px (seeds) | difference | spread of seeds |"]
    lines.append("|---|---|---|---|---|")
    for cell, by_precision in errors.items():
        a, b = by_precision["float32"], by_precision["bfloat16"]
        lines.append(
            f"| {cell} | {mean(a):.3f} ({', '.join(f'{v:.2f}' for v in a)}) "
            f"| {mean(b):.3f} ({', '.join(f'{v:.2f}' for v in b)}) "
            f"| {mean(b) - mean(a):+.3f} | {stdev(a):.3f} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    run_all(arguments.folder, arguments.jobs)
    errors, seconds = collect(arguments.folder)
    text = json.dumps({"rmse_px": errors, "seconds": seconds}, indent=2)
    (arguments.folder / "precision.json").write_text(text + "\n")
    print(table(errors))


if __name__ == "__main__":
    main()
