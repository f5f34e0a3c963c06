"""How many sequences does the quick scale need? RMSE against the training budget, one seed.

    python benchmarks/calibrate.py --folder /tmp/calibration    # about 20 minutes on two cores

Each cell of the list is trained from scratch with its list of epochs of 10,000 sequences, since the
schedule depends on the budget. Writes docs/images/calibration.csv and .png. A run that
is there is not run again.
"""

import argparse
import csv
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import yaml

from slow_features.grid.cells import Cell
from slow_features.grid.run import find_cell

CELLS = {
    "quick/changing_uniform/VICReg/alpha1.5-published-seed1": (4, 2),
    "quick/fixed_uniform/VICReg/alpha1.25-control-seed1": (4, 2),
    "quick/changing_uniform/SimCLR/alpha1.5-published-seed1": (2,),
    "quick/fixed_uniform/IDM/alpha1.25-published-seed1": (2,),
    "quick/fixed_uniform/RSSM/alpha1.25-published-seed1": (1,),
}
IMAGES = Path("docs/images")


def target(folder: Path, cell: Cell, epochs: int) -> Path:
    """Return the folder of one run."""
    return folder / str(cell.path).replace("/", "-") / f"epochs{epochs}"


def start(folder: Path, cell: Cell, epochs: int) -> subprocess.Popen:
    """Start one training with its probe."""
    place = target(folder, cell, epochs)
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.yaml").write_text(yaml.safe_dump(cell.config.model_dump()))
    section = cell.model_type.lower()
    values = [f"{section}.epochs={epochs}", f"output_path={place}"]
    command = [sys.executable, "stages/train.py", "--configs", str(place / "config.yaml")]
    return subprocess.Popen([*command, "--values", *values], stderr=subprocess.DEVNULL)


def run_all(folder: Path, at_once: int) -> None:
    """Run what is missing, longest first."""
    jobs = [(find_cell(path), epochs) for path, budgets in CELLS.items() for epochs in budgets]
    jobs.sort(key=lambda job: -job[1] * (3 if job[0].model_type == "RSSM" else 1))
    running: list[subprocess.Popen] = []
    for cell, epochs in jobs:
        if (target(folder, cell, epochs) / "probe" / "result.json").exists():
            continue
        while len(running) >= at_once:
            wait_a_little(running[0])
            running = [process for process in running if process.poll() is None]
        running.append(start(folder, cell, epochs))
    for process in running:
        process.wait()


def wait_a_little(process: subprocess.Popen) -> None:
    """Wait for a process, half a second at most."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)


def rows(folder: Path) -> list[dict]:
    """Return one row for each finished run."""
    found = []
    for path, budgets in CELLS.items():
        cell = find_cell(path)
        for epochs in sorted(budgets):
            place = target(folder, cell, epochs)
            if not (place / "probe" / "result.json").exists():
                continue
            result = json.loads((place / "probe" / "result.json").read_text())
            summary = json.loads((place / "train" / "train.json").read_text())
            found.append(
                {
                    "cell": "/".join(cell.path.parts[1:]),
                    "sequences": summary["sequences"],
                    "rmse_px": result["pred"]["rmse_px"],
                    "frame0_rmse_px": result["enc"]["rmse_px"],
                    "centre_px": result["centre"]["rmse_px"],
                    "encoder_moved": summary["weights_moved"]["encoder"],
                    "loss": summary["final"]["loss"],
                    "seconds": json.loads((place / "train" / "cost.json").read_text())["seconds"],
                }
            )
    return found


def draw(found: list[dict], file: Path) -> None:
    """Draw RMSE against sequences, a line for each cell."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for cell in dict.fromkeys(row["cell"] for row in found):
        points = [(r["sequences"] / 1000, r["rmse_px"]) for r in found if r["cell"] == cell]
        family, model, name = cell.split("/")
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
    run_all(arguments.folder, arguments.jobs)
    found = rows(arguments.folder)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (IMAGES / "calibration.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    draw(found, IMAGES / "calibration.png")


if __name__ == "__main__":
    main()
