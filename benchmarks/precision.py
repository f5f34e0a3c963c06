"""Does bfloat16 change the result? Final RMSE of four cells, three seeds, float32 beside bfloat16.

    python -m benchmarks.precision --folder /tmp/precision      # about half an hour on two cores

Writes precision.json, and prints a Markdown table. A cell that is there is not run again.
"""

import argparse
import json
from itertools import product
from pathlib import Path
from statistics import mean, stdev

from benchmarks.trainings import Training, run_missing

CELLS = {
    "VICReg changing": "quick/changing_uniform/VICReg/alpha1.5-published-seed1",
    "SimCLR changing": "quick/changing_uniform/SimCLR/alpha1.5-published-seed1",
    "IDM fixed": "quick/fixed_uniform/IDM/alpha1.25-published-seed1",
    "RSSM fixed": "quick/fixed_uniform/RSSM/alpha1.25-published-seed1",
}
SEEDS = (1, 2, 3)
PRECISIONS = ("float32", "bfloat16")


def training(folder, cell, seed, precision):
    """Return one training: a cell of the quick scale with another seed and precision."""
    place = folder / f"{cell}-{seed}-{precision}".replace(" ", "_")
    return Training(CELLS[cell], (f"seed={seed}", f"precision={precision}"), place)


def collect(folder):
    """Return {cell: {precision: [RMSE px of each seed]}} and the same of seconds."""
    errors, seconds = {}, {}
    for cell in CELLS:
        for precision in PRECISIONS:
            runs = [training(folder, cell, seed, precision) for seed in SEEDS]
            errors.setdefault(cell, {})[precision] = [
                run.read("probe/result.json")["pred"]["rmse_px"] for run in runs
            ]
            seconds.setdefault(cell, {})[precision] = [
                run.read("train/cost.json")["seconds"] for run in runs
            ]
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
    ordered = product(reversed(CELLS), SEEDS, PRECISIONS)  # RSSM, the longest, first
    run_missing([training(arguments.folder, *which) for which in ordered], arguments.jobs)
    errors, seconds = collect(arguments.folder)
    text = json.dumps({"rmse_px": errors, "seconds": seconds}, indent=2)
    (arguments.folder / "precision.json").write_text(text + "\n")
    print(table(errors))


if __name__ == "__main__":
    main()
