"""One experiment: its data set, its training, its evaluation. What the stage scripts call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from slow_features import paths
from slow_features.config.schema import Experiment
from slow_features.data.manifest import REMEDY, DatasetSpec
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import StoredDataset, open_dataset, write_dataset
from slow_features.errors import InputError, SlowFeaturesError
from slow_features.models.registry import MODELS

if TYPE_CHECKING:
    from slow_features.probe.result import ProbeResult


TRAIN, PROBE = "train", "probe"  # folders below output_path


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


def write_experiment_data(config: Experiment, folder: Path) -> None:
    """Write the data set of an experiment, with a picture of each split."""
    from slow_features.data.pictures import draw_samples

    noise = NoiseSetting.from_config(config)
    channels = config.model.channels
    source = config.dataset_structured_noise_path
    write_dataset(dataset_spec(config), [noise], folder, channels, source)
    draw_samples(open_dataset(folder, verify=False), noise, folder)


def open_data(config: Experiment, folder: str | None) -> StoredDataset:
    """Open a data set; without a folder, the one kept in .cache/, made when it is first needed.

    Raises InputError when the folder holds no data set, or one for other settings.
    """
    if folder is not None:
        dataset = open_dataset(folder)
        require_fit(config, dataset)
        return dataset
    spec, noise = dataset_spec(config), NoiseSetting.from_config(config)
    text = repr((asdict(spec), noise, config.model.channels, config.dataset_structured_noise_path))
    kept = paths.data_cache() / hashlib.sha256(text.encode()).hexdigest()[:16]
    with _alone(kept):  # the first of several trainings writes it, the others wait for it
        if not (kept / "manifest.json").exists():
            source = config.dataset_structured_noise_path
            write_dataset(spec, [noise], kept, config.model.channels, source)
    return open_dataset(kept)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others out while a folder is written, by a lock beside it; a refusal leaves no trace."""
    made = [parent for parent in folder.parents[:2] if not parent.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = Path(f"{folder}.lock")
    try:
        with FileLock(lock):
            yield
    except SlowFeaturesError:
        lock.unlink(missing_ok=True)
        for parent in made:
            with suppress(OSError):  # somebody else's data set lies there by now
                parent.rmdir()
        raise


def require_fit(config: Experiment, dataset: StoredDataset) -> None:
    """Raise InputError unless the data set is what the settings ask for, and has enough of it."""
    wanted, found = asdict(dataset_spec(config)), asdict(dataset.spec)
    sizes, stored = wanted.pop("sizes"), found.pop("sizes")
    other = [
        f"{key} = {found[key]}, not {wanted[key]}" for key in wanted if found[key] != wanted[key]
    ]
    other += [
        f"{stored[split]} sequences for {split}, not {sizes[split]}"
        for split in sizes
        if stored[split] < sizes[split]
    ]
    if other:
        raise InputError(f"{dataset.folder}: written for other settings ({other[0]}); {REMEDY}")


def check_before_work(config: Experiment, weights: Path | None = None) -> None:
    """Refuse what can be refused before data is written, let alone a model trained.

    weights: a file that must fit the model, as `load_checkpoint_path`. Raises InputError, or
    MachineError for a device, memory or a place for the results that is not there.
    """
    from slow_features.training.preflight import check_model
    from slow_features.training.train import check_place

    check_place(Path(config.output_path) / TRAIN)
    check_model(config, weights or config.load_checkpoint_path)


def train_experiment(config: Experiment, dataset: StoredDataset) -> None:
    """Train into output_path/train."""
    from slow_features.training.train import train

    train(config, dataset, Path(config.output_path) / TRAIN)


def weights_file(config: Experiment) -> Path:
    """Return the file of weights that the training writes."""
    from slow_features.training.train import WEIGHTS_FILE

    return Path(config.output_path) / TRAIN / WEIGHTS_FILE


def probe_experiment(config: Experiment, dataset: StoredDataset) -> None:
    """Evaluate the weights in output_path/train; write and print the result."""
    from slow_features.probe.stage import probe

    result = probe(config, dataset, weights_file(config), Path(config.output_path) / PROBE)
    print(summary(result))


def summary(result: ProbeResult) -> str:
    """Return the result in one line, in px."""
    return (
        f"{result.model_type}, {result.noise.family} {result.noise.alpha:g}: RMSE "
        f"{result.pred.rmse_px:.2f} px on rollouts, {result.enc.rmse_px:.2f} px on frame 0 "
        f"(always the centre: {result.centre.rmse_px:.2f} px)"
    )
