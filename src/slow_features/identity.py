"""What a result is: the hash of everything that its numbers depend on, and of nothing else.

Settings, the images of structured noise, the weights that a training starts from, and the code
that the model type really uses: comments, docstrings, messages and other models change nothing.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from slow_features import paths
from slow_features.closure import PACKAGE, code_fingerprint, import_closure
from slow_features.config.load import with_adam
from slow_features.config.schema import Experiment
from slow_features.data.images import images_checksum
from slow_features.data.noise import NoiseSetting
from slow_features.files import sha256_file, write_json
from slow_features.models.registry import MODELS, section_name

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
# Settings that say where a training ran, not what it is; the source of images is in every result.
PLACES = frozenset({"device", "threads", "precision", "dataset_structured_noise_path"})

BY_CONTENT = frozenset({"dataset_structured_noise_path", "load_checkpoint_path"})  # not by its name

# Where the code behind a kind of numbers begins; a model's own module is added to the first two.
TRAINING = ("training/session.py", "training/loop.py")
EVALUATION = (
    "training/session.py",
    "probe/contents.py",
    "probe/dynamics.py",
    "probe/evaluate.py",
)
DATASET = ("data/store.py",)
DATA = ("data/cache.py", "data/pictures.py")
REPORT = ("report/experiment.py", "report/grid.py", "report/search.py", "report/summary.py")
TRACK = ("results/track.py",)
# Modules on the way that decide no number: settings count by their values, the registry names every
# model, the others show, write, stop or refuse.
_SPECTATORS = (
    "config",
    "errors.py",
    "files.py",
    "interrupt.py",
    "locks.py",
    "models/registry.py",
    "paths.py",
    "process.py",
    "training/progress.py",
)
_IMAGES = ("data/cifar.py", "data/images.py", "data/photographs.py")  # count by their pixels
FORMAT = 1  # to be raised when the files of a result change, so that old ones are made again


def training_identity(config: Experiment) -> str:
    """Return the hexadecimal name of a training: two of the same name have the same weights."""
    settings = settings_of_weights(config)
    return _hash(
        {
            "format": FORMAT,
            "settings": {key: settings[key] for key in settings.keys() - BY_CONTENT},
            "batch": config.batch_size,
            "steps": config.steps_per_epoch * getattr(config.model, "epochs", 0),
            "images": _images(config),
            "code": code_of(TRAINING, config.model_type),
            "start": sha256_file(config.load_checkpoint_path)
            if config.load_checkpoint_path
            else None,
        }
    )


def evaluation_identity(config: Experiment, adam_probe: bool = False) -> str:
    """Return the name of an evaluation; its training is a part of it.

    adam_probe: with the published probe as well, beside the configured one.
    """
    return _hash(
        {
            "training": training_identity(config),
            "settings": config.probing_cfg.model_dump(),
            "sizes": [config.val_dataset_size, config.val_n_steps],
            "adam_probe": with_adam(config).probing_cfg.model_dump() if adam_probe else False,
            "code": code_of(EVALUATION, config.model_type),
        }
    )


def settings_of_weights(config: Experiment) -> dict[str, Any]:
    """Return the settings that decide the weights: top level and the chosen model's section."""
    chosen = section_name(config.model_type)
    return {
        key: value
        for key, value in config.model_dump().items()
        if key not in WITHOUT_EFFECT_ON_WEIGHTS and (not isinstance(value, dict) or key == chosen)
    }


def other_settings(config: Experiment, had: dict[str, Any]) -> list[str]:
    """Return the names of the settings that a training had otherwise than `config` has.

    A setting of the model's section that the training does not name is younger than the training,
    which had what is now the setting's default.
    """
    asked = settings_of_weights(config)
    names = sorted((asked.keys() | had.keys()) - PLACES)
    section = section_name(config.model_type)
    defaults = {key: field.default for key, field in type(config.model).model_fields.items()}
    if isinstance(had.get(section), dict):
        had = had | {section: defaults | had[section]}
    return [name for name in names if asked.get(name) != had.get(name)]


def code_of(roots: tuple[str, ...], model_type: str | None = None) -> str:
    """Return the fingerprint of the code that these modules and a model type use.

    What the registry says of the model type is code, too, as far as it decides a number.
    """
    code = _fingerprint(roots, model_type)
    if model_type is None:
        return code
    entry = MODELS[model_type]
    decides = [entry.target, entry.trains, entry.trains_on_probe_images, entry.loss_floor]
    return _hash({"code": code, "registry": decides})


@cache
def _fingerprint(roots: tuple[str, ...], model_type: str | None) -> str:
    return code_fingerprint(files_of(roots, model_type))


@cache
def files_of(roots: tuple[str, ...], model_type: str | None = None) -> frozenset[Path]:
    """Return the files of code that these modules and a model type use, without spectators.

    A page shows texts of the settings and of the models, so for a report everything counts.
    """
    without = () if roots in (REPORT, TRACK) else _SPECTATORS
    entries: list[Path | str] = [PACKAGE / root for root in roots]
    if model_type is not None:
        entries.append(MODELS[model_type].target.partition(":")[0])
        without += _IMAGES
    files = import_closure(*entries, without=without)
    return frozenset(file for file in files if file.name != "__init__.py")


def write_fingerprints(folder: Path = paths.CODE) -> None:
    """Write a file for every kind of result: the fingerprint of its code, and which files count.

    A stage of DVC depends on the file of its kind, and so runs again when the code of its numbers
    has changed, and not when something else has.
    """
    kinds: dict[str, tuple[tuple[str, ...], str | None]] = {
        "data": (DATA, None),
        "report": (REPORT, None),
        "track": (TRACK, None),
    }
    for model_type in MODELS:
        kinds[f"train/{model_type}"] = (TRAINING, model_type)
        kinds[f"probe/{model_type}"] = (EVALUATION, model_type)
    for kind, of in kinds.items():
        names = sorted(
            file.name if not file.is_relative_to(PACKAGE) else str(file.relative_to(PACKAGE))
            for file in files_of(*of)
        )
        content = {"fingerprint": code_of(*of), "files": names}
        write_json(folder / f"{kind}.json", content)


def _images(config: Experiment) -> str | None:
    if not NoiseSetting.from_config(config).structured:
        return None
    return images_checksum(config.dataset_structured_noise_path)


def _hash(record: dict[str, Any]) -> str:
    text = json.dumps(record, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
