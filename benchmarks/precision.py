"""Does bfloat16 change the result? Final RMSE of four cells, three seeds, float32 beside bfloat16.

    python -m benchmarks.precision --folder /tmp/precision      # 13 minutes on two cores

The float32 trainings are cells of the scale `seeds`: the store has them once that is reproduced.
Writes precision.json, and prints a Markdown table. What is there is not run again.
"""

import argparse
import json
from itertools import product
from pathlib import Path
from statistics import mean, stdev

from benchmarks import trainings
from benchmarks.trainings import Training
from slow_features.grid.run import find_cell, run_missing, stored
from slow_features.provenance import cores
from slow_features.provenance import cores

CELLS = {
    "VICReg changing": "seeds/VICReg/changing_uniform/alpha1.5-published-seed",
    "SimCLR changing": "seeds/SimCLR/changing_uniform/alpha1.5-published-seed",
    "IDM fixed": "seeds/IDM/fixed_uniform/alpha1.25-published-seed",
    "RSSM fixed": "seeds/RSSM/fixed_uniform/alpha1.25-published-seed",
}
SEEDS = (1, 2, 3)


def rounded(folder, cell, seed):
    """Return the training of a cell in bfloat16."""
    place = folder / f"{cell}-{seed}-bfloat16".replace(" ", "_")
    return Training(f"{CELLS[cell]}{seed}", ("precision=bfloat16",), place)


def train_missing(folder, at_once):
    """Train what is not there: RSSM, the longest, first."""
    ordered = list(product(reversed(CELLS), SEEDS))
    run_missing([find_cell(f"{CELLS[cell]}{seed}") for cell, seed in ordered], at_once)
    trainings.run_missing([rounded(folder, cell, seed) for cell, seed in ordered], at_once)


def collect(folder):
    """Return {cell: {precision: [RMSE px of each seed]}}."""
    errors = {}
    for cell, path in CELLS.items():
        exact = [stored(find_cell(f"{path}{seed}")).place.probe for seed in SEEDS]
        rough = [rounded(folder, cell, seed).folder / "probe" for seed in SEEDS]
        for precision, places in (("float32", exact), ("bfloat16", rough)):
            results = [json.loads((place / "result.json").read_text()) for place in places]
            errors.setdefault(cell, {})[precision] = [r["pred"]["rmse_px"] for r in results]
    return errors


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
    parser.add_argument("--jobs", type=int, default=cores())
    arguments = parser.parse_args()
    train_missing(arguments.folder, arguments.jobs)
    errors = collect(arguments.folder)
    text = json.dumps({"rmse_px": errors}, indent=2)
    (arguments.folder / "precision.json").write_text(text + "\n")
    print(table(errors))


if __name__ == "__main__":
    main()
