"""How long MLflow takes to find the runs of one noise setting among all of the paper's grid.

    python -m benchmarks.mlflow_search

Fills a store of its own, in a temporary folder, with a made-up run for each cell of the scale
`paper` (no number was measured), and asks it as the MLflow UI does.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from slow_features.grid.cells import Cell, cells_of
from slow_features.tracking.describe import describe
from slow_features.tracking.mlflow_sink import start
from slow_features.tracking.store import Store, open_store

FILTERS = (
    'tags.setting = "fixed_uniform 1.25" and tags.scale = "paper"',
    'tags.model = "VICReg"',
    'tags.identity = "made-up-7"',
)
SHOWN = 100  # runs that the UI asks for at once
ROUNDS = 7


def fill(store: Store, cells: list[Cell]) -> None:
    """Write a run with a loss curve and the usual errors for each cell."""
    for number, cell in enumerate(cells):
        tags = {
            "scale": cell.scale,
            "setting": f"{cell.family} {cell.alpha}",
            "variant": cell.variant,
            "data_checksum": f"{cell.family}{cell.alpha}",
        }
        said = describe(cell.config, "train", f"made-up-{number}", tags)
        sink = start(store, said, from_scratch=False)
        curve = [{"step": s, "epoch": s / 50, "loss": 1 / s, "sim": 2 / s} for s in range(1, 51)]
        sink.log_curve(curve)
        errors = ("rmse_px", "enc_rmse_px", "centre_rmse_px", "rmse_unit", "spread", "rank")
        sink.log_metrics({name: float(number) for name in errors})
        sink.finish("FINISHED")


def seconds(store: Store, query: str) -> tuple[int, float, float]:
    """Return how many runs a filter finds; median seconds by the clock and of the processor."""
    found, times, busy = [], [], []
    for _ in range(ROUNDS):
        began, worked = time.perf_counter(), time.process_time()
        found = store.client.search_runs(
            [store.experiment_id],
            query,
            max_results=SHOWN,
            order_by=["metrics.`error/rmse_px` ASC"],
        )
        times.append(time.perf_counter() - began)
        busy.append(time.process_time() - worked)
    return len(found), statistics.median(times), statistics.median(busy)


def main() -> None:
    """Fill a store and print a line for each filter."""
    cells = cells_of("paper")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder
        store = open_store()
        began = time.perf_counter()
        fill(store, cells)
        size = Path(folder, "mlflow.db").stat().st_size / 1e6
        print(f"{len(cells)} runs, {size:.0f} MB, in {time.perf_counter() - began:.0f} s")
        for query in FILTERS:
            count, clock, busy = seconds(store, query)
            print(f"{query}: {count} runs, {clock:.2f} s, of the processor {busy:.3f} s")


if __name__ == "__main__":
    main()
