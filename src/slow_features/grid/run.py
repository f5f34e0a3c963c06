"""Cells made and recorded: missing ones run in parallel, finished ones come from the store."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from slow_features import paths
from slow_features.config.load import load_config, validate, with_adam
from slow_features.config.schema import Experiment
from slow_features.data.cache import data_for
from slow_features.errors import InputError, SlowFeaturesError
from slow_features.experiment import describe_data
from slow_features.files import write_text
from slow_features.grid.cells import Cell, cells_of
from slow_features.grid.engine import OTHER_CODE, Job, failure_lines, print_progress, run_jobs
from slow_features.grid.machines import Machines
from slow_features.models.registry import MODELS
from slow_features.results.files import PROBE, TRAIN, Place
from slow_features.results.gathered import gather, gathered_file
from slow_features.results.record import is_recorded, record, remove_others
from slow_features.results.store import StoredCell


class CellsFailedError(SlowFeaturesError):
    """Some cells of the grid failed; all others are finished and kept."""


class OtherCodeError(InputError):
    """This checkout would compute another result than the one that was asked for."""

    exit_code = OTHER_CODE


def write_order(cell: StoredCell) -> str:
    """Return what a cell's process must know: settings, and the identities of the result."""
    config = cell.config.model_dump(mode="json")
    return json.dumps({"config": config, "adam_probe": cell.adam_probe, "ids": cell.ids})


def read_order(text: str) -> StoredCell:
    """Read a `write_order`. Raises OtherCodeError where the result would be another one."""
    order = json.loads(text)
    cell = StoredCell(validate(order["config"]), order["adam_probe"])
    if list(cell.ids) != order["ids"]:
        raise OtherCodeError(
            "the code, or the images of the noise, are not those that the driver has; allowed: "
            "its revision, unchanged while it runs"
        )
    return cell


def stored(cell: Cell) -> StoredCell:
    """Return a cell of the grid as the store knows it."""
    return StoredCell(cell.config, cell.adam_probe)


def run_cell(cell: Cell, step: str = PROBE) -> Place:
    """Train a cell and evaluate it, or train it alone, whichever is missing in the store.

    Where another process is at work on the same cell, wait for it and find the cell finished.
    """
    return stored(cell).make(step)


def run_missing(
    cells: Sequence[Cell],
    machines: Machines | None = None,
    step: str = PROBE,
    experiment: StoredCell | None = None,
) -> None:
    """Run the cells that the store does not have, as many at once as there is room for.

    experiment: what params.yaml describes, run beside the cells if the store does not have it.
    Raises CellsFailedError with a line for each failed cell after all others are finished.
    """
    machines = machines or Machines()
    missing = [cell for cell in cells if not is_done(cell, step)]
    jobs = _jobs(missing, step)
    same = {stored(cell).identity for cell in missing}
    if experiment and not experiment.finished and experiment.identity not in same:
        live = () if machines.elsewhere else ("--log",)  # to MLflow's file, which is this machine's
        jobs.append(job_of(paths.EXPERIMENT, experiment, step, *live))
    if not jobs:
        return
    print(f"{len(cells) - len(missing)} of {len(cells)} cells are in the store", file=sys.stderr)
    prepare_data(config for cell in missing for config in _configs(cell))
    state = run_jobs(jobs, machines, print_progress)
    print(file=sys.stderr)
    if state.failed:
        lines = "\n  ".join(failure_lines(state))
        raise CellsFailedError(f"{len(state.failed)} of {len(cells)} cells failed:\n  {lines}")


def is_done(cell: Cell, step: str = PROBE) -> bool:
    """Return whether the store has a cell, or with step "train" its training."""
    place = stored(cell)
    return place.trained if step == TRAIN else place.finished


def prepare_data(configs: Iterable[Experiment]) -> None:
    """Make the data sets of some settings, as large as the largest of each needs."""
    for group in _groups(configs):
        data_for(*group)


def describe_scale_data(scale: str) -> None:
    """Make the data sets of a scale and write what they are into data/{scale}/, for git."""
    for configs in data_groups(cells_of(scale)):
        describe_data(configs, paths.DATA / scale / _data_name(configs[0]), pictures=False)


def _data_name(config: Experiment) -> str:
    name = f"{config.dataset_type}-seed{config.seed}"
    return name if config.n_steps == config.val_n_steps else f"{name}-frames{config.n_steps}"


def data_groups(cells: Sequence[Cell]) -> list[list[Experiment]]:
    """Return the settings of cells that read one data set, group by group."""
    return _groups(config for cell in cells for config in _configs(cell))


def _configs(cell: Cell) -> list[Experiment]:
    return [cell.config, *([with_adam(cell.config)] if cell.adam_probe else [])]


def _groups(configs: Iterable[Experiment]) -> list[list[Experiment]]:
    groups: dict[tuple[str, int, int], list[Experiment]] = defaultdict(list)
    for config in configs:
        groups[config.dataset_type, config.seed, config.n_steps].append(config)
    return list(groups.values())


def collect(step: str, scale: str, model_type: str) -> None:
    """Do one DVC stage: bring the record of a model type's cells up to date, step by step.

    step: "train" or "probe". What is recorded already, of the same settings and code, stays;
    results of cells that are no more go.
    """
    cells = cells_of(scale, model_type=model_type)
    missing = [cell for cell in cells if not is_recorded(cell.path, stored(cell), step)]
    run_missing(missing, step=step)
    for cell in missing:
        record(cell.path, run_cell(cell, step), step)
    places = [Place.recorded(cell.path) for cell in cells]
    folder = paths.RESULTS / step / scale / model_type
    folder.mkdir(parents=True, exist_ok=True)
    remove_others(folder, {getattr(place, step) for place in places})
    if not cells:  # git keeps no empty folder, and DVC wants its output
        write_text(folder / "none.txt", f"{scale} has no cell of {model_type}.\n")
    if step == TRAIN:
        remove_others(paths.RESULTS / "runs" / scale / model_type, {place.run for place in places})


def record_finished(cells: Sequence[Cell]) -> None:
    """Bring the record of those cells up to date that the store has."""
    for cell in cells:
        for step in (TRAIN, PROBE):
            if is_done(cell, step) and not is_recorded(cell.path, stored(cell), step):
                record(cell.path, run_cell(cell, step), step)


def gather_weights(scale: str) -> None:
    """Copy the weights of a scale's recorded cells out of the store, for a DVC remote.

    Raises InputError when the store lacks the weights of a record, after copying all others.
    """
    cells = [c for c in cells_of(scale) if is_recorded(c.path, stored(c), TRAIN)]
    lacking = [c.path for c in cells if not gather(c.path, stored(c).place.weights)]
    if lacking:
        raise InputError(
            f"weights of {lacking[0]} and {len(lacking) - 1} more: the store of this machine does "
            "not have those that git has recorded; allowed: on the machine that recorded them"
        )
    remove_others(paths.WEIGHTS / scale, {gathered_file(cell.path) for cell in cells})


def _jobs(cells: Sequence[Cell], step: str) -> list[Job]:
    """Return the cells' processes, the longest first: none is left over at the end."""
    ordered = sorted(cells, key=lambda cell: work_of(cell.config), reverse=True)
    return [job_of(cell.path, stored(cell), step) for cell in ordered]


def job_of(name: PurePath, cell: StoredCell, step: str, *more: str) -> Job:
    """Return the process that makes what the store lacks of a cell, under any name."""
    return Job(
        name=str(name),
        arguments=["stages/cell.py", str(name), "--step", step, "--ordered", *more],
        log=paths.cell_log(name),
        input=write_order(cell),
        cell=cell.ids,
    )


def work_of(config: Experiment) -> float:
    """Return how long a training takes, in frames of VICReg."""
    entry = MODELS[config.model_type]
    frames = config.dataset_size * config.n_steps
    return entry.cost * frames * config.model.epochs if entry.trains else 0.0


def find_cell(path: str) -> Cell:
    """Return the cell of a path, scale/model/family/name. Raises InputError."""
    scale = path.partition("/")[0]
    for cell in cells_of(scale):
        if str(cell.path) == path:
            return cell
    raise InputError(f"{path}: no such cell in grids.yaml; allowed: as {cells_of(scale)[0].path}")


def find_stored(name: str) -> StoredCell:
    """Return a cell of the grid, or "experiment", as the store knows it. Raises InputError."""
    if name == str(paths.EXPERIMENT):
        return StoredCell(load_config(["params.yaml"]).config)
    return stored(find_cell(name))
