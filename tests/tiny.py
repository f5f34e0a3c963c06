"""Experiments that train and are evaluated in a moment."""

from __future__ import annotations

from slow_features.config.load import load_config
from slow_features.config.schema import Experiment

SMALL = [
    "dataset_noise=1.5", "dataset_batch_size=16", "dataset_size=64", "val_dataset_size=32",
    "probing_cfg.sequences=64", "threads=1", "n_steps=5", "val_n_steps=5",
]  # fmt: skip


def small_config(model_type: str = "VICReg", *values: str) -> Experiment:
    """Return the settings of an experiment of three epochs of four steps."""
    section = model_type.lower()
    sizes = ["embedding_size=16", "backbone_width_factor=1", "epochs=3"]
    own = [f"{section}.{size}" for size in sizes]
    return load_config([], [*SMALL, f"model_type={model_type}", *own, *values]).config
