"""The stored data set: trajectories on disk, frames drawn from them when they are needed.

A folder holds, for each split, `{split}.start.npy` [n, dots, 2] and `{split}.actions.npy`
[n, T - 1, dots, 2] in px, float32. Locations are not stored: `trajectories.roll_out` walks them
from the start along the actions, to the same bits each time. Structured noise adds the image
banks, `images.{train,evaluation}.npy` (uint8 [n, 28, 28]). `statistics.json` has the mean and
standard deviation of the pixels for each noise setting, `manifest.json` the specification and
the size and SHA-256 of every file. Arrays are mapped into memory; nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter

from slow_features.data.arrays import ArrayWriter, map_array
from slow_features.data.counters import SPLITS, Split, split_key
from slow_features.data.geometry import IMAGE_SIZE, bounds
from slow_features.data.images import ImageBanks, bank_of, load_images
from slow_features.data.manifest import FORMAT, MANIFEST, REMEDY, DatasetSpec, Manifest, records
from slow_features.data.noise import NoiseSetting
from slow_features.data.statistics import PixelStatistics, measure
from slow_features.data.trajectories import BLOCK, roll_out, sample
from slow_features.errors import InputError
from slow_features.files import atomic_folder, check_replaceable, check_space, check_writable

if TYPE_CHECKING:  # torch is loaded where frames are made: to find a finished cell takes none
    import torch

    from slow_features.data.frames import FrameMaker

STATISTICS = "statistics.json"
_STATISTICS_BATCHES, _STATISTICS_BATCH = 100, 64  # as published: 100 batches
STATISTICS_SEQUENCES = _STATISTICS_BATCHES * _STATISTICS_BATCH


def write_dataset(
    spec: DatasetSpec,
    noises: Sequence[NoiseSetting],
    folder: str | Path,
    channels: int = 1,
    image_source: str | None = None,
) -> None:
    """Write a data set that serves the given noise settings, all at once, replacing an old one.

    channels: of a frame, one per dot or 1. image_source: for structured noise, a folder with
    CIFAR-10; None for the embedded photographs.
    Raises InputError for a folder that is no data set or images that are not as they should be,
    MachineError when the disk is full. Sequences are written block by block, so a million of
    them needs no more memory than a thousand.
    """
    folder = Path(folder)
    check_replaceable(folder, "data set", MANIFEST)
    banks = check_possible(spec, noises, folder, image_source)
    with atomic_folder(folder) as fresh:
        for split in SPLITS:
            _write_split(fresh, spec, split)
        if banks is not None:
            np.save(fresh / "images.train.npy", banks.train)
            np.save(fresh / "images.evaluation.npy", banks.evaluation)
        measured = {noise.key: noise for noise in noises}
        statistics = {
            key: asdict(_statistics(spec, noise, banks)) for key, noise in measured.items()
        }
        (fresh / STATISTICS).write_text(json.dumps(statistics, indent=2) + "\n", encoding="utf-8")
        Manifest(
            format=FORMAT,
            spec=spec,
            channels=channels,
            noises=tuple(noises),
            image_source=banks.source if banks else None,
            image_origin=banks.origin if banks else None,
            files=records(fresh, [path.name for path in fresh.iterdir()]),
        ).write(fresh)


def check_possible(
    spec: DatasetSpec, noises: Sequence[NoiseSetting], folder: Path, image_source: str | None
) -> ImageBanks | None:
    """Refuse a data set that cannot be written, before anything is; return its images.

    Raises as `write_dataset`.
    """
    check_writable(folder)
    check_space(folder, sum(_bytes(spec, split) for split in SPLITS))
    return _banks(noises, image_source)


def open_dataset(folder: str | Path, verify: bool = True) -> StoredDataset:
    """Open a stored data set.

    Sizes and shapes of all files are checked always, their checksums with `verify`.
    Raises InputError naming the file that is missing or damaged, and what to do.
    """
    folder = Path(folder)
    manifest = Manifest.read(folder)
    manifest.check(folder, checksums=verify)
    return StoredDataset(folder, manifest)


class StoredDataset:
    """A data set on disk, its arrays mapped into memory.

    spec: what was drawn. channels: of a frame. checksum: SHA-256 over the manifest, the identity
    of the data set.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest
        self.spec, self.channels = manifest.spec, manifest.channels
        self.checksum = manifest.checksum
        self._starts, self._actions = {}, {}
        for split in SPLITS:
            start_shape, actions_shape = _shapes(self.spec, split)
            self._starts[split] = map_array(folder / f"{split}.start.npy", start_shape)
            self._actions[split] = map_array(folder / f"{split}.actions.npy", actions_shape)
        self._statistics = _read_statistics(folder / STATISTICS, manifest)

    def sequences(self, split: Split, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Return sequences begin..end - 1 of a split, in px.

        Returns locations [n, T, dots, 2] and intended actions [n, T - 1, dots, 2], float32.
        Raises InputError when the split holds fewer sequences.
        """
        if not 0 <= begin < end <= self.spec.sizes[split]:
            raise InputError(
                f"{self.folder}: sequences {begin} to {end - 1} of split '{split}' were asked "
                f"for, it holds {self.spec.sizes[split]}; write a larger data set "
                "(dataset_size, epochs, val_dataset_size) or ask for less"
            )
        actions = np.array(self._actions[split][begin:end])
        low, high = bounds(self.spec.dot_std)
        return roll_out(self._starts[split][begin:end], actions, low, high), actions

    def checksum_for(self, noise: NoiseSetting) -> str:
        """Return a checksum of all that decides the sequences and frames under a noise setting.

        Sequences are functions of the specification and their number, so neither the sizes of the
        splits nor the statistics of other noise count: a data set that grows, or that serves one
        more noise setting, is still the same data to a model that was trained on it.
        """
        record = asdict(self.spec) | {"sizes": None, "channels": self.channels, "noise": noise.key}
        record["statistics"] = asdict(self.statistics(noise))
        if noise.structured:
            files = self.manifest.files.items()
            record["trains_on_probe_images"] = noise.trains_on_probe_images
            record["images"] = {name: f.sha256 for name, f in files if name.startswith("images.")}
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    def statistics(self, noise: NoiseSetting) -> PixelStatistics:
        """Return the pixel statistics of a noise setting; InputError if it was not measured."""
        if noise.key not in self._statistics:
            raise InputError(
                f"{self.folder}: written for noise {', '.join(self._statistics)}, not for "
                f"{noise.key}; {REMEDY}"
            )
        return self._statistics[noise.key]

    def frame_maker(
        self, split: Split, noise: NoiseSetting, device: torch.device | str, normalize: bool
    ) -> FrameMaker:
        """Return what draws the frames of a split with a noise setting, on a device.

        Raises InputError when the data set was not written for this noise.
        """
        from slow_features.data.frames import FrameMaker

        statistics = self.statistics(noise)
        if not normalize:
            statistics = PixelStatistics.identity(self.spec.dots)
        bank = None
        if noise.structured:
            path = self.folder / f"images.{bank_of(split, noise)}.npy"
            bank = np.array(map_array(path, (None, IMAGE_SIZE, IMAGE_SIZE), np.uint8))
        key = split_key(split, self.spec.seed)
        return FrameMaker(key, noise, self.spec.dot_std, statistics, self.channels, device, bank)


def _shapes(spec: DatasetSpec, split: Split) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of a split's starts and actions."""
    size, dots = spec.sizes[split], spec.dots
    return (size, dots, 2), (size, spec.steps(split) - 1, dots, 2)


def _read_statistics(path: Path, manifest: Manifest) -> dict[str, PixelStatistics]:
    """Return the pixel statistics by the key of their noise. Raises InputError if damaged."""
    try:
        found = TypeAdapter(dict[str, PixelStatistics]).validate_json(path.read_bytes())
        if any({len(one.mean), len(one.std)} != {manifest.spec.dots} for one in found.values()):
            raise ValueError(f"allowed: {manifest.spec.dots} dots")
        if not {noise.key for noise in manifest.noises} <= found.keys():
            raise ValueError("allowed: those of every noise of the manifest")
    except (OSError, ValueError) as error:
        reason = type(error).__name__
        raise InputError(f"{path}: no pixel statistics ({reason}); {REMEDY}") from None
    return found


def _bytes(spec: DatasetSpec, split: Split) -> int:
    """Return how much disk a split takes."""
    return 4 * sum(math.prod(shape) for shape in _shapes(spec, split))


def _banks(noises: Sequence[NoiseSetting], image_source: str | None) -> ImageBanks | None:
    """Load the images where some noise is structured; InputError if it asks for other images."""
    asked = {noise.source for noise in noises if noise.structured}
    if not asked:
        return None
    banks = load_images(image_source)
    if asked != {banks.source}:
        raise InputError(
            f"dataset_structured_noise_path = {image_source}: gives images of '{banks.source}', "
            f"the noise asks for {', '.join(sorted(asked))}"
        )
    return banks


def _write_split(folder: Path, spec: DatasetSpec, split: Split) -> None:
    """Draw a split and write its two arrays, a block at a time."""
    shapes = _shapes(spec, split)
    with (
        ArrayWriter(folder / f"{split}.start.npy", shapes[0]) as starts,
        ArrayWriter(folder / f"{split}.actions.npy", shapes[1]) as actions,
    ):
        for begin in range(0, spec.sizes[split], BLOCK):
            end = min(begin + BLOCK, spec.sizes[split])
            block = sample(split, spec.seed, spec.dots, spec.dot_std, spec.steps(split), begin, end)
            starts.append(block[0])
            actions.append(block[1])


def _statistics(
    spec: DatasetSpec, noise: NoiseSetting, banks: ImageBanks | None
) -> PixelStatistics:
    """Measure the pixels of a noise setting over the first 100 batches of the train split.

    Structured noise is made of the train images, whatever a training draws from: all models then
    see the same frames when they are evaluated. A smaller split gives as many whole batches as it
    has.
    """
    from slow_features.data.frames import FrameMaker

    bank = banks.train if banks and noise.structured else None
    key, raw = split_key("train", spec.seed), PixelStatistics.identity(spec.dots)
    maker = FrameMaker(key, noise, spec.dot_std, raw, spec.dots, bank=bank)
    size = spec.sizes["train"]
    batch = min(_STATISTICS_BATCH, size)
    used = batch * min(_STATISTICS_BATCHES, size // batch)
    drawn = sample("train", spec.seed, spec.dots, spec.dot_std, spec.n_steps, 0, used)
    locations = roll_out(*drawn, *bounds(spec.dot_std))
    return measure(
        maker.frames(locations[first : first + batch], first) for first in range(0, used, batch)
    )
