"""What a training is: the hash of everything that its weights depend on."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import slow_features
from slow_features.config.schema import Experiment
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import StoredDataset
from slow_features.files import sha256_file
from slow_features.models.registry import section_name

# Settings that name or place a run, or belong to the probe: two runs that differ only here
# have the same weights.
WITHOUT_EFFECT_ON_WEIGHTS = frozenset(
    {
        "scale",
        "output_path",
        "safe_every_n_epochs",
        "wandb",
        "run_name",
        "run_group",
        "val_dataset_size",
        "val_n_steps",
        "probing_cfg",
    }
)
# The folders of the package whose code decides the weights, down to the last bit.
CODE_OF_WEIGHTS = ("data", "losses", "models", "optim", "training")


def identity(config: Experiment, dataset: StoredDataset) -> str:
    """Return the hexadecimal name of a training: settings, training data and code."""
    record = {
        "settings": settings_of_weights(config),
        "data": dataset.checksum_for(NoiseSetting.from_config(config)),
        "code": code_version(CODE_OF_WEIGHTS),
        "start": _starting_weights(config),
    }
    text = json.dumps(record, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _starting_weights(config: Experiment) -> str | None:
    """Return the checksum of the weights that a training starts from: a path may change content."""
    file = config.load_checkpoint_path
    return sha256_file(file) if file else None


def settings_of_weights(config: Experiment) -> dict:
    """Return the settings that decide the weights: top level and the chosen model's section."""
    chosen = section_name(config.model_type)
    return {
        key: value
        for key, value in config.model_dump().items()
        if key not in WITHOUT_EFFECT_ON_WEIGHTS and (not isinstance(value, dict) or key == chosen)
    }


@cache
def code_version(folders: tuple[str, ...]) -> str:
    """Return a hash of the package's source files in these folders."""
    root = Path(slow_features.__file__).parent
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted((root / folder).glob("*.py")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:24]
