"""Data sets kept in .cache/data: a function of the settings, made when they are first needed.

One folder serves all trainings that see the same sequences: it holds as many of them as the
longest needs, and the pixel statistics of every noise that was asked for. Who needs more writes
the folder again, with all that was there; sequences do not depend on how many there are.
"""

from __future__ import annotations

import hashlib
import shutil
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
    check_possible,
    open_dataset,
    write_dataset,
)
from slow_features.errors import InputError
from slow_features.identity import DATASET, code_of
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
            "evaluation": config.val_dataset_size * (1 + (probe.measured_on == "validation")),
        },
    )


def joint_spec(*configs: Experiment) -> DatasetSpec:
    """Return what a data set must hold that serves all of these settings."""
    specs = [dataset_spec(config) for config in configs]
    sizes = {split: max(spec.sizes[split] for spec in specs) for split in specs[0].sizes}
    return replace(specs[0], sizes=sizes)


def data_for(*configs: Experiment) -> StoredDataset:
    """Return a data set that serves all of these settings, made or enlarged where it must be.

    They must ask for the same sequences and channels, as all cells of a scale with the same seed
    and number of dots do. Raises InputError for images that are not as they should be,
    MachineError when the disk is full.
    """
    folder, spec = _folder(configs[0]), joint_spec(*configs)
    noises = [NoiseSetting.from_config(config) for config in configs]
    found = _open(folder)
    if found is not None and _serves(found, spec, noises):
        return found
    check_data(*configs)
    with only_one(
        Path(f"{folder}.lock"), f"another process writes {folder}; try again later", patience=3600
    ):
        found = _open(folder)
        if found is None or not _serves(found, spec, noises):
            _write(folder, configs[0], found, spec, noises)
        return open_dataset(folder, verify=False)


def check_data(*configs: Experiment) -> None:
    """Refuse data that cannot be made, before anything is written. Raises as `data_for`."""
    for config in configs:
        noises, source = [NoiseSetting.from_config(config)], config.dataset_structured_noise_path
        check_possible(dataset_spec(config), noises, _folder(config), source)


def bytes_to_write(*configs: Experiment) -> int:
    """Return how much disk `data_for` would take for these settings; 0 if the sequences are there.

    A sequence is its start and T - 1 actions of every dot, (x, y) in float32; images are small.
    """
    spec = joint_spec(*configs)
    try:
        there = Manifest.read(_folder(configs[0])).spec.sizes
    except InputError:
        there = dict.fromkeys(spec.sizes, 0)
    if all(spec.sizes[split] <= size for split, size in there.items()):
        return 0
    return sum(8 * spec.dots * spec.steps(split) * size for split, size in spec.sizes.items())


def _folder(config: Experiment) -> Path:
    """Return the folder of all data sets with the sequences and channels of a configuration.

    The code that draws them counts, so that no data set outlives a change of it.
    """
    spec = dataset_spec(config)
    measured = min(spec.sizes["train"], STATISTICS_SEQUENCES)
    source = config.dataset_structured_noise_path
    code = code_of(DATASET)
    text = repr((asdict(spec) | {"sizes": measured}, config.model.channels, source, code))
    return paths.data_cache() / hashlib.sha256(text.encode()).hexdigest()[:16]


def _open(folder: Path) -> StoredDataset | None:
    """Open what is there; None for nothing, and for what is damaged, which is written again."""
    if not (folder / MANIFEST).exists():
        return None
    try:
        return open_dataset(folder)
    except (InputError, FileNotFoundError):  # not there: another process has just replaced it
        return None


def _serves(found: StoredDataset, spec: DatasetSpec, noises: Sequence[NoiseSetting]) -> bool:
    return (
        _is_same(found.spec, spec)
        and set(noises) <= set(found.manifest.noises)
        and all(found.spec.sizes[split] >= size for split, size in spec.sizes.items())
    )


def _is_same(spec: DatasetSpec, other: DatasetSpec) -> bool:
    """Return whether two data sets hold the same sequences, however many of them."""
    return replace(spec, sizes={}) == replace(other, sizes={})


def _write(
    folder: Path,
    config: Experiment,
    found: StoredDataset | None,
    spec: DatasetSpec,
    noises: Sequence[NoiseSetting],
) -> None:
    """Write a data set for all that is asked for and all that was there."""
    if found is not None and _is_same(found.spec, spec):
        sizes = {split: max(size, found.spec.sizes[split]) for split, size in spec.sizes.items()}
        spec, noises = replace(spec, sizes=sizes), [*found.manifest.noises, *noises]
    if found is None:
        shutil.rmtree(folder, ignore_errors=True)  # damaged, if it is there at all
    write_dataset(
        spec,
        list(dict.fromkeys(noises)),
        folder,
        config.model.channels,
        config.dataset_structured_noise_path,
    )
