"""The data sets of a scale: one for each number of dots and seed, for every noise of its cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from slow_features import paths
from slow_features.data.manifest import DatasetSpec
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import StoredDataset, open_dataset, write_dataset
from slow_features.experiment import dataset_spec
from slow_features.grid.cells import Cell, cells_of, with_adam


def data_folder(cell: Cell) -> Path:
    """Return the folder of the data set that a cell reads."""
    return paths.GRID_DATA / cell.scale / f"{cell.config.dataset_type}-seed{cell.seed}"


def write_data(scale: str) -> None:
    """Write every data set of a scale, as large as its largest cell needs."""
    groups: dict[Path, list[Cell]] = defaultdict(list)
    for cell in cells_of(scale):
        groups[data_folder(cell)].append(cell)
    for folder, cells in groups.items():
        noises = {NoiseSetting.from_config(cell.config): None for cell in cells}
        config = cells[0].config
        write_dataset(
            _largest(list(_specs(cells))),
            list(noises),
            folder,
            config.model.channels,
            config.dataset_structured_noise_path,
        )


def _specs(cells: Sequence[Cell]) -> Iterator[DatasetSpec]:
    """Yield what each cell reads."""
    for cell in cells:
        yield dataset_spec(cell.config)
        if cell.adam_probe:
            yield dataset_spec(with_adam(cell.config))


def _largest(specs: Sequence[DatasetSpec]) -> DatasetSpec:
    """Return a specification that holds as many sequences of each split as any of these needs."""
    sizes = {split: max(spec.sizes[split] for spec in specs) for split in specs[0].sizes}
    return replace(specs[0], sizes=sizes)


@cache
def open_data(folder: Path) -> StoredDataset:
    """Open a data set of the grid, once in a process."""
    return open_dataset(folder)
