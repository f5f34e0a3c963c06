"""Cells made and handed out: missing ones run in parallel, finished ones come from the store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from slow_features import paths
from slow_features.data.store import StoredDataset
from slow_features.errors import InputError, SlowFeaturesError
from slow_features.experiment import require_fit
from slow_features.files import atomic_folder
from slow_features.grid.cells import Cell, cells_of, with_adam
from slow_features.grid.data import data_folder, open_data
from slow_features.grid.pool import Job, failure_lines, print_progress, run_jobs
from slow_features.grid.store import StoredCell, hand_out, stored
from slow_features.models.registry import MODELS
from slow_features.provenance import cores


class CellsFailedError(SlowFeaturesError):
    """Some cells of the grid failed; all others are finished and kept."""


def place_of(cell: Cell) -> StoredCell:
    """Return where a cell lies in the store."""
    return stored(cell.config, open_data(data_folder(cell)), cell.adam_probe)


def run_cell(cell: Cell) -> None:
    """Train a cell and evaluate it, whichever is missing in the store.

    Where another process is at work on the same cell, wait for it and find the cell finished; the
    kernel frees the lock of a killed one.
    """
    from slow_features.training.train import train

    place, dataset = place_of(cell), open_data(data_folder(cell))
    require_fit(cell.config, dataset)
    with place.lock():
        if not place.trained:
            train(cell.config, dataset, place.train, log=False)
        if not place.probed:
            with atomic_folder(place.probe) as beside:
                _evaluate(cell, dataset, place.train, beside)


def _evaluate(cell: Cell, dataset: StoredDataset, train: Path, folder: Path) -> None:
    from slow_features.probe import stage
    from slow_features.probe.evaluate import evaluate
    from slow_features.training.train import WEIGHTS_FILE

    model = stage.load_model(cell.config, train / WEIGHTS_FILE)
    device = next(model.parameters()).device
    stage.write_evaluation(evaluate(model, cell.config, dataset, device), folder)
    stage.write_dynamics(model, cell.config, dataset, folder)
    if cell.adam_probe:
        published = evaluate(model, with_adam(cell.config), dataset, device).result
        stage.write_block(folder / stage.ADAM_FILE, published)


def run_missing(cells: Sequence[Cell], at_once: int | None = None) -> None:
    """Run the cells that the store does not have, as many at once as there are cores.

    Raises CellsFailedError with a line for each failed cell after all others are finished.
    """
    missing = [cell for cell in cells if not place_of(cell).finished]
    if not missing:
        return
    print(f"{len(cells) - len(missing)} of {len(cells)} cells are in the store", file=sys.stderr)
    state = run_jobs(_jobs(missing), at_once or cores(), print_progress)
    print(file=sys.stderr)
    if state.failed:
        lines = "\n  ".join(failure_lines(state))
        raise CellsFailedError(f"{len(state.failed)} of {len(cells)} cells failed:\n  {lines}")


def _jobs(cells: Sequence[Cell]) -> list[Job]:
    """Return the cells' processes, the longest first: none is left over at the end."""
    ordered = sorted(cells, key=_work, reverse=True)
    return [
        Job(
            name=str(cell.path),
            command=[sys.executable, "stages/cell.py", str(cell.path)],
            log=paths.cells() / "logs" / cell.path.with_name(f"{cell.name}.log"),
        )
        for cell in ordered
    ]


def _work(cell: Cell) -> float:
    """Return how long a cell's training takes, in sequences of VICReg."""
    entry, config = MODELS[cell.model_type], cell.config
    return entry.cost * config.dataset_size * config.model.epochs if entry.trains else 0.0


def find_cell(path: str) -> Cell:
    """Return the cell of a path, scale/family/model/name. Raises InputError."""
    scale = path.partition("/")[0]
    for cell in cells_of(scale):
        if str(cell.path) == path:
            return cell
    raise InputError(f"{path}: no such cell in grids.yaml; allowed: as {cells_of(scale)[0].path}")


def collect(step: str, scale: str, family: str, model_type: str) -> None:
    """Fill the output folder of one DVC stage: every cell of a family and model type.

    step: "train" or "probe". A stage without cells at this scale leaves an empty folder.
    """
    folder = paths.GRID_OUTPUTS / scale / step / family / model_type
    folder.mkdir(parents=True, exist_ok=True)
    cells = cells_of(scale, family, model_type)
    run_missing(cells)
    for cell in cells:
        place = place_of(cell)
        hand_out(place.train if step == "train" else place.probe, cell.output(step))
