"""Frames to look at: sequences of the evaluation split, as a model sees them and without noise."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from slow_features.config.schema import Experiment
from slow_features.data.counters import split_key
from slow_features.data.frames import FrameMaker
from slow_features.data.manifest import DatasetSpec
from slow_features.data.noise import NoiseSetting
from slow_features.data.statistics import PixelStatistics
from slow_features.data.store import StoredDataset, open_dataset, write_dataset
from slow_features.data.stream import EVALUATION_BATCH, BatchStream
from slow_features.probe.measure import EXAMPLES

_STATISTICS_SEQUENCES = 64  # pictures are in raw grey, so these statistics are never used


class Samples(NamedTuple):
    """The first sequences of the evaluation split, in grey values that are not normalised.

    seen: [n, T, C, 28, 28] with noise. clean: the same without. locations: [n, T, dots, 2], px.
    """

    seen: np.ndarray
    clean: np.ndarray
    locations: np.ndarray


def evaluation_samples(
    config: Experiment, dataset: StoredDataset, count: int = EXAMPLES
) -> Samples:
    """Draw the sequences that the evaluation kept the paths of, the same frames to the bit.

    The noise of a frame is scaled by the largest pixel of its batch, so the whole batch of the
    evaluation is drawn and its first `count` sequences are kept.
    Raises InputError when the data set was not written for the noise of the settings.
    """
    noise, channels = NoiseSetting.from_config(config), config.model.channels
    size = min(EVALUATION_BATCH, config.val_dataset_size)
    stream = BatchStream(
        dataset, "evaluation", noise, size, channels=channels, normalize=False, sequences=size
    )
    batch = stream.batch(0)
    locations = batch.locations[:count].numpy()
    clean = FrameMaker(
        split_key("evaluation", config.seed),
        NoiseSetting(),
        config.dataset_dot_std,
        PixelStatistics.identity(config.dots),
        channels,
    )
    return Samples(batch.states[:count].numpy(), clean.frames(locations, 0).numpy(), locations)


@lru_cache(maxsize=16)  # a figure is drawn twice, for two widths
def picture_samples(config: Experiment) -> Samples:
    """Return the evaluation's first sequences for a configuration, the same frames to the bit.

    Frames depend on counters alone, so a data set of one batch, made and thrown away here, shows
    what the evaluation saw. Callers share the arrays: they are for reading. Raises InputError when
    images for structured noise are missing.
    """
    spec = DatasetSpec(
        dataset_type=config.dataset_type,
        dot_std=config.dataset_dot_std,
        n_steps=config.n_steps,
        val_n_steps=config.val_n_steps,
        seed=config.seed,
        sizes={
            "train": _STATISTICS_SEQUENCES,
            "probe": 1,
            "evaluation": min(EVALUATION_BATCH, config.val_dataset_size),
        },
    )
    noise, source = NoiseSetting.from_config(config), config.dataset_structured_noise_path
    with TemporaryDirectory() as place:
        folder = Path(place) / "data"
        write_dataset(spec, [noise], folder, config.model.channels, source)
        return evaluation_samples(config, open_dataset(folder, verify=False))
