"""What does RSSM need at fixed noise? RMSE along one long training, probed after every epoch.

    python -m benchmarks.learning_curve --epochs 10 --values dataset_batch_size=16
    python -m benchmarks.learning_curve --draw

RSSM's rate is constant, so its state after an epoch is the end of a training of that budget.
Starts from a cell of the quick scale, with the published 17 frames; adds its rows to
docs/images/learning_curve.csv.
"""

import argparse
import csv
from pathlib import Path
from tempfile import TemporaryDirectory

from slow_features.config.cli import as_yaml
from slow_features.config.load import load_config
from slow_features.config.schema import Experiment
from slow_features.data.cache import data_for
from slow_features.grid.run import find_cell
from slow_features.interrupt import stop_on_signals
from slow_features.probe.evaluate import evaluate
from slow_features.training.curve import Progress
from slow_features.training.loop import run_steps
from slow_features.training.session import start_session

CELL = "quick/RSSM/fixed_uniform/alpha1.25-published-seed1"
FILE = Path("docs/images/learning_curve.csv")
COLUMNS = ["batch", "learning_rate", "precision", "sequences", "steps", "loss", "kl", "rmse_px"]
COLUMNS += ["frame0_rmse_px", "centre_px", "seconds"]


def settings(cell: str, epochs: int, values: list[str]) -> Experiment:
    """Return the cell's settings with a longer training and `key=value` changes."""
    with TemporaryDirectory() as home:
        file = Path(home) / "cell.yaml"
        file.write_text(as_yaml(find_cell(cell).config))
        return load_config([file], [f"rssm.epochs={epochs}", "n_steps=17", *values]).config


def follow(config: Experiment) -> None:
    """Train and probe after every epoch; each row is on disk at once."""
    dataset = data_for(config)
    session, progress = start_session(config, dataset), Progress()

    def probe() -> None:
        session.model.eval()
        result = evaluate(session.model, config, dataset, session.device).result
        session.model.train()
        add_row(config, progress, result)

    with stop_on_signals() as stop:
        run_steps(session, progress, probe, stop)


def add_row(config, progress, result) -> None:
    """Append one row to the table."""
    row = {
        "batch": config.batch_size,
        "learning_rate": config.model.learning_rate,
        "precision": config.precision,
        "sequences": progress.step * config.batch_size,
        "steps": progress.step,
        "loss": progress.curve[-1]["loss"],
        "kl": progress.curve[-1]["kl"],
        "rmse_px": result.pred.rmse_px,
        "frame0_rmse_px": result.enc.rmse_px,
        "centre_px": result.centre.rmse_px,
        "seconds": round(progress.seconds, 1),
    }
    is_new = not FILE.exists()
    with FILE.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if is_new:
            writer.writeheader()
        writer.writerow(row)
    print(row, flush=True)


def draw() -> None:
    """Draw every training of the table as a line."""
    from matplotlib.figure import Figure

    with FILE.open(newline="") as file:
        found = list(csv.DictReader(file))
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for key in dict.fromkeys((r["batch"], r["learning_rate"], r["precision"]) for r in found):
        mine = [r for r in found if (r["batch"], r["learning_rate"], r["precision"]) == key]
        points = [(int(r["sequences"]) / 1000, float(r["rmse_px"])) for r in mine]
        label = f"batch {key[0]}, rate {float(key[1]):.4f}, {key[2]}"
        axes.plot(*zip(*points, strict=True), "-o", markersize=3, label=label)
    centre = float(found[0]["centre_px"])
    for height, text in ((centre, "always the centre"), (centre / 2, "half of it: found")):
        axes.axhline(height, color="grey", linewidth=1)
        axes.annotate(text, (0.99, height), (0, -3), ("axes fraction", "data"), "offset points",
                      va="top", ha="right", color="grey", fontsize=8)  # fmt: skip
    axes.set(xlabel="training sequences, thousands", ylabel="RMSE, px", ylim=(0, 10))
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(FILE.with_suffix(".png"), dpi=150)


def main() -> None:
    """Follow one training, or draw those that were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell", default=CELL)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--values", nargs="*", default=[])
    parser.add_argument("--draw", action="store_true")
    arguments = parser.parse_args()
    if arguments.draw:
        draw()
    else:
        follow(settings(arguments.cell, arguments.epochs, arguments.values))


if __name__ == "__main__":
    main()
