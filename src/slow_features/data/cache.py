"""Data sets kept in .cache/data: a function of the settings, made when they are first needed.

One folder serves all trainings that see the same sequences: it holds as many of them as the
longest needs, and the pixel statistics of every noise that was asked for. Who needs more writes
the folder again, with all that was there; sequences do not depend on how many there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from slow_features import paths
from slow_features.config.schema import Experiment
from slow_features.data.manifest import MANIFEST, DatasetSpec, Manifest
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import (
    STATISTICS_SEQUENCES,
    StoredDataset,
    open_dataset,
    write_dataset,
)
from slow_features.errors import InputError
from slow_features.locks import only_one
from slow_features.models.registry import MODELS


def dataset_spec(config: Experiment) -> DatasetSpec:
    """Return what an experiment's data set must hold: as many sequences as it will read.

    A model that is not trained reads none for training; an epoch is there for the statistics.
    """
    probe = config.probing_cfg
    passes = config.model.epochs if MODELS[config.model_type].trains else 1
    epochs = max(probe.epochs, probe.epochs_enc)
    return DatasetSpec(
        dataset_type=config.dataset_type,
        dot_std=config.dataset_dot_std,
        n_steps=config.n_steps,
        val_n_steps=config.val_n_steps,
        seed=config.seed,
        sizes={
            "train": config.dataset_size * passes,
            "probe": probe.sequences
            if probe.solver == "closed_form"
            else epochs * config.val_dataset_size,
            "evaluation": config.val_dataset_size,
        },
    )


def data_for(*configs: Experiment) -> StoredDataset:
    """Return a data set that serves all of these settings, made or enlarged where it must be.

    They must ask for the same sequences and channels, as all cells of a scale with the same seed
    and number of dots do. Raises InputError for images that are not as they should be,
    MachineError when the disk is full.
    """
    folder = _folder(configs[0])
    specs = [dataset_spec(config) for config in configs]
    noises = [NoiseSetting.from_config(config) for config in configs]
    found = _open(folder)
    if found is not None and _serves(found, specs, noises):
        return found
    with only_one(
        Path(f"{folder}.lock"), f"another process writes {folder}; try again later", patience=3600
    ):
        found = _open(folder)
        if found is None or not _serves(found, specs, noises):
            _write(folder, configs[0], found, specs, noises)
    return open_dataset(folder, verify=False)


def bytes_to_write(*configs: Experiment) -> int:
    """Return how much disk `data_for` would take for these settings; 0 if the sequences are there.

    A sequence is its start and T - 1 actions of every dot, (x, y) in float32; images are small.
    """
    specs = [dataset_spec(config) for config in configs]
    try:
        there = Manifest.read(_folder(configs[0])).spec.sizes
    except InputError:
        there = dict.fromkeys(specs[0].sizes, 0)
    needed = {split: max(spec.sizes[split] for spec in specs) for split in there}
    if all(needed[split] <= size for split, size in there.items()):
        return 0
    return sum(8 * specs[0].dots * specs[0].steps(split) * size for split, size in needed.items())


def _folder(config: Experiment) -> Path:
    """Return the folder of all data sets with the sequences and channels of a configuration."""
    spec = dataset_spec(config)
    measured = min(spec.sizes["train"], STATISTICS_SEQUENCES)
    source = config.dataset_structured_noise_path
    text = repr((asdict(spec) | {"sizes": measured}, config.model.channels, source))
    return paths.data_cache() / hashlib.sha256(text.encode()).hexdigest()[:16]


def _open(folder: Path) -> StoredDataset | None:
    """Open what is there; None for nothing, and for what is damaged, which is written again."""
    if not (folder / MANIFEST).exists():
        return None
    try:
        return open_dataset(folder)
    except InputError:
        return None


def _serves(
    found: StoredDataset, specs: Sequence[DatasetSpec], noises: Sequence[NoiseSetting]
) -> bool:
    return set(noises) <= set(found.manifest.noises) and all(
        found.spec.sizes[split] >= spec.sizes[split] for spec in specs for split in spec.sizes
    )


def _write(
    folder: Path,
    config: Experiment,
    found: StoredDataset | None,
    specs: Sequence[DatasetSpec],
    noises: Sequence[NoiseSetting],
) -> None:
    """Write a data set for all that is asked for and all that was there."""
    if found is not None:
        specs = [*specs, found.spec]
        noises = [*found.manifest.noises, *noises]
    sizes = {split: max(spec.sizes[split] for spec in specs) for split in specs[0].sizes}
    write_dataset(
        replace(specs[0], sizes=sizes),
        list(dict.fromkeys(noises)),
        folder,
        config.model.channels,
        config.dataset_structured_noise_path,
    )
