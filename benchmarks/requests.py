"""The experiments that are measured, as requests to a worker."""

from __future__ import annotations

from pathlib import Path

from slow_features.config.load import load_config
from slow_features.config.schema import Experiment
from slow_features.data.cache import dataset_spec
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import write_dataset
from slow_features.models.registry import section_name

NOISE = ("dataset_noise=1.5", "dataset_static_noise=0")
FIXED_NOISE = ("dataset_noise=0", "dataset_static_noise=1.25")


def values(budget, model, batch, *more):
    """Return the settings of one model as dotted values on top of params.yaml, in float32."""
    section = section_name(model)
    sizes = [f"{section}.{size}" for size in budget.sizes]
    n = budget.sequences
    data = [f"dataset_batch_size={batch}", f"val_dataset_size={n}", f"probing_cfg.sequences={n}"]
    where = ["device=cpu", "precision=float32"]
    return [f"model_type={model}", *where, *NOISE, *data, *sizes, *more]


def config_of(texts) -> Experiment:
    """Return the settings of dotted values."""
    return load_config(["params.yaml"], texts).config


def request(form, task, texts, data, threads=1, **arguments):
    """Return what a worker is asked to do: task `task` of form "slow", "ours" or "where"."""
    return {
        "form": form,
        "task": task,
        "threads": threads,
        "arguments": arguments,
        "values": [*texts, f"threads={threads}"],
        "data": str(data),
    }


def write_data(budget, folder: Path, sequences: int = 10_000):
    """Write a data set of so many training sequences, for both kinds of noise."""
    texts = values(budget, "VICReg", 2, f"dataset_size={sequences}", "vicreg.epochs=1")
    settings = [config_of([*texts, *noise]) for noise in (NOISE, FIXED_NOISE)]
    noises = [NoiseSetting.from_config(config) for config in settings]
    write_dataset(dataset_spec(settings[0]), noises, folder)
