"""How many sequences does the quick scale need? RMSE against the training budget, one seed.

    python -m benchmarks.calibrate --folder /tmp/calibration    # about 20 minutes on two cores

Each cell of the list is trained from scratch with its list of epochs of 10,000 sequences, since the
schedule depends on the budget. Writes docs/images/calibration.csv and .png. A run that
is there is not run again.
"""

import argparse
import csv
from pathlib import Path

from benchmarks.trainings import Training, run_missing
from slow_features.grid.run import find_cell
from slow_features.models.registry import section_name

CELLS = {
    "quick/VICReg/changing_uniform/alpha1.5-published-seed1": (4, 2),
    "quick/VICReg/fixed_uniform/alpha1.25-control-seed1": (4, 2),
    "quick/SimCLR/changing_uniform/alpha1.5-published-seed1": (2,),
    "quick/IDM/fixed_uniform/alpha1.25-published-seed1": (2,),
    "quick/RSSM/fixed_uniform/alpha1.25-published-seed1": (1,),
}
IMAGES = Path("docs/images")


def trainings(folder: Path) -> list[tuple[int, Training]]:
    """Return every training with its epochs, in the order of the table."""
    found = []
    for path, budgets in CELLS.items():
        cell = find_cell(path)
        for epochs in sorted(budgets):
            place = folder / f"{path.replace('/', '-')}-epochs{epochs}"
            section = section_name(cell.model_type)
            values = (f"{section}.epochs={epochs}", "n_steps=17", "precision=float32")
            found.append((epochs, Training(path, values, place)))
    return found


def longest_first(training: tuple[int, Training]) -> int:
    """Return what to sort by: RSSM takes three times as long as the others."""
    epochs, what = training
    return -epochs * (3 if "/RSSM/" in what.cell else 1)


def rows(folder: Path) -> list[dict]:
    """Return one row for each finished run."""
    return [row(training) for _, training in trainings(folder) if training.finished]


def row(training: Training) -> dict:
    """Return the errors and the cost of one run."""
    result, summary = training.read("probe/result.json"), training.read("train/train.json")
    return {
        "cell": training.cell.partition("/")[2],
        "sequences": summary["sequences"],
        "rmse_px": result["pred"]["rmse_px"],
        "frame0_rmse_px": result["enc"]["rmse_px"],
        "centre_px": result["centre"]["rmse_px"],
        "encoder_moved": summary["weights_moved"]["encoder"],
        "loss": summary["final"]["loss"],
        "seconds": training.read("train/run.json")["seconds"],
    }


def draw(found: list[dict], file: Path) -> None:
    """Draw RMSE against sequences, a line for each cell."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for cell in dict.fromkeys(row["cell"] for row in found):
        points = [(r["sequences"] / 1000, r["rmse_px"]) for r in found if r["cell"] == cell]
        model, family, name = cell.split("/")
        control = "control" in name
        label = f"{model}, {family.replace('_uniform', '')} noise{', control' if control else ''}"
        axes.plot(*zip(*points, strict=True), "--o" if control else "-o", label=label)
    axes.axhline(found[0]["centre_px"], color="grey", linewidth=1)
    axes.annotate("always the centre", (10, found[0]["centre_px"]), va="top", color="grey")
    axes.set(
        xscale="log", xlabel="training sequences, thousands", ylabel="RMSE, px", ylim=(0, 10.5)
    )
    axes.set_xticks([10, 20, 40], ["10", "20", "40"])
    axes.set_xlim(9, 46)
    axes.minorticks_off()
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(file, dpi=150)


def main() -> None:
    """Run, collect, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    ordered = sorted(trainings(arguments.folder), key=longest_first)
    run_missing([training for _, training in ordered], arguments.jobs)
    found = rows(arguments.folder)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (IMAGES / "calibration.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    draw(found, IMAGES / "calibration.png")


if __name__ == "__main__":
    main()
