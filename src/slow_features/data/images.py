"""The natural images of structured noise: a bank per split, and where they come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from slow_features.data import cifar, photographs
from slow_features.data.counters import Split
from slow_features.data.geometry import IMAGE_SIZE
from slow_features.data.noise import NoiseSetting, NoiseSource


@dataclass(frozen=True)
class ImageBanks:
    """Grey images for structured noise, no picture in both banks.

    source: the name that results carry. origin: what it is and how it was checked, one line.
    train, evaluation: uint8 [n, 28, 28].
    """

    source: NoiseSource
    origin: str
    train: np.ndarray
    evaluation: np.ndarray


def bank_of(split: Split, noise: NoiseSetting) -> Literal["train", "evaluation"]:
    """Return the bank that a split draws from.

    As published, the probe is trained and evaluated on validation images: the probe split draws
    from the evaluation bank too, and so does the training of a model that is trained through its
    probe.
    """
    return "train" if split == "train" and not noise.trains_on_probe_images else "evaluation"


def load_images(cifar_folder: str | None) -> ImageBanks:
    """Load the images that `dataset_structured_noise_path` asks for.

    cifar_folder: with CIFAR-10, binary or python version; None for the embedded photographs.
    Raises InputError when the folder does not hold intact files of CIFAR-10.
    """
    if cifar_folder is None:
        return ImageBanks(
            "photographs",
            photographs.ORIGIN,
            _cropped(photographs.patches(photographs.TRAIN)),
            _cropped(photographs.patches(photographs.EVALUATION)),
        )
    version, train, test = cifar.read_grey(cifar_folder)
    return ImageBanks("cifar10", version.origin, _cropped(train), _cropped(test))


@cache
def images_checksum(cifar_folder: str | None) -> str:
    """Return the SHA-256 of both banks. Raises as `load_images`."""
    banks = load_images(cifar_folder)
    return hashlib.sha256(banks.train.tobytes() + banks.evaluation.tobytes()).hexdigest()


def _cropped(images: np.ndarray) -> np.ndarray:
    """Keep the top-left 28x28 px of images [n, 32, 32], as published."""
    return np.ascontiguousarray(images[:, :IMAGE_SIZE, :IMAGE_SIZE])
