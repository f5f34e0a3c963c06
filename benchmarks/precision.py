"""Does bfloat16 change a result? Every trained cell of the scale `seeds`, in both arithmetics.

    python -m benchmarks.precision --folder /tmp/precision    # 39 trainings beside the scale's own
    python -m benchmarks.precision --folder /tmp/precision "seeds/RSSM"    # some of them

One side is the cell as the scale asks for it (`precision: auto`), from the store, which has it once
the scale is reproduced; the other is the same cell in the arithmetic that `auto` does not take on
this machine: float32 where the processor has bfloat16, and where it lacks it bfloat16 as
benchmarks/rounding.py emulates it. The rule: no verdict of the page changes, and no mean over the
seeds differs by MARGIN_PX or the range of the seeds in float32, whichever is larger. Prints a
Markdown table and the verdicts that change, and ends with 1 where the rule does not hold. What is
there is not run again.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean

import torch

from benchmarks import trainings
from benchmarks.trainings import Training
from slow_features.grid.machines import Machines
from slow_features.grid.run import run_missing, stored
from slow_features.grid.select import select
from slow_features.models.registry import MODELS
from slow_features.provenance import cores
from slow_features.report.claims import judge
from slow_features.report.criteria import read_rules
from slow_features.report.results import Results, read_cells
from slow_features.results.files import Place
from slow_features.training import machine

SCALE = "seeds"
MARGIN_PX = 0.25


def has_bfloat16():
    """Return whether `precision: auto` is bfloat16 here."""
    return machine.has_bfloat16(torch.device("cpu"))


def in_the_other(folder, cell):
    """Return the training of a cell in the arithmetic that `auto` does not take here."""
    place = folder / "-".join(cell.path.parts[1:])
    if has_bfloat16():
        return Training(str(cell.path), ("precision=float32",), place)
    emulated = ("-m", "benchmarks.rounding")
    return Training(str(cell.path), ("precision=bfloat16",), place, emulated)


def train_missing(folder, cells, at_once):
    """Train what is not there: RSSM, the longest, first."""
    ordered = sorted(cells, key=lambda cell: cell.model_type != "RSSM")
    run_missing(ordered, Machines(jobs=at_once))
    trainings.run_missing([in_the_other(folder, c) for c in ordered if is_trained(c)], at_once)


def is_trained(cell):
    """Return whether a cell has a training, whose arithmetic may matter."""
    return MODELS[cell.model_type].trains


def both_sides(folder, cells):
    """Return the results of all cells in float32 and in bfloat16."""

    def other(cell):
        return Place.below(in_the_other(folder, cell).folder) if is_trained(cell) else own(cell)

    def own(cell):
        return stored(cell).place

    places = (other, own) if has_bfloat16() else (own, other)
    return [Results(SCALE, read_cells(cells, place)) for place in places]


def errors_of(results):
    """Return {(model, noise, variant): RMSE px of each seed} of the trained cells."""
    found = defaultdict(list)
    for result in results.cells:
        if is_trained(cell := result.cell):
            found[cell.model_type, f"{cell.family} {cell.alpha}", cell.variant].append(
                result.error_px()
            )
    return found


def allowed(exact):
    """Return how far a mean may move, px: the margin, or the range of the seeds in float32."""
    return max(MARGIN_PX, max(exact) - min(exact))


def table(exact, rounded):
    """Return the Markdown table of both sides: means, seeds, and what the rule allows."""
    lines = ["| cell | float32, px (seeds) | bfloat16, px (seeds) | difference | allowed |"]
    lines.append("|---|---|---|---|---|")
    for cell, a in exact.items():
        b = rounded[cell]
        lines.append(
            f"| {' '.join(cell).replace('_', ' ')} | {_seeds(a)} | {_seeds(b)} "
            f"| {mean(b) - mean(a):+.2f} | {allowed(a):.2f} |"
        )
    return "\n".join(lines)


def _seeds(errors):
    return f"{mean(errors):.2f} ({', '.join(f'{error:.2f}' for error in errors)})"


def too_far(exact, rounded):
    """Return the cells whose mean moves by as much as the rule forbids, or more."""
    return [c for c, a in exact.items() if abs(mean(rounded[c]) - mean(a)) >= allowed(a)]


def changed_verdicts(exact, rounded):
    """Return a line for each part of a claim whose verdict is another one."""
    rules = read_rules()
    pairs = zip(judge(exact, rules), judge(rounded, rules), strict=True)
    return [
        f"{one.claim.id}, {a.part.name}: {a.verdict} in float32, {b.verdict} in bfloat16"
        for one, other in pairs
        for a, b in zip(one.parts, other.parts, strict=True)
        if a.verdict != b.verdict
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="*", default=[SCALE], help="a part of the scale")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=cores())
    arguments = parser.parse_args()
    cells = select(arguments.cells)
    train_missing(arguments.folder, cells, arguments.jobs)
    sides = both_sides(arguments.folder, cells)
    exact, rounded = (errors_of(side) for side in sides)
    changed = changed_verdicts(*sides)
    print(table(exact, rounded))
    print("\n".join(changed) or "\nNo verdict changes.")
    sys.exit(bool(changed or too_far(exact, rounded)))


if __name__ == "__main__":
    main()
