"""Batches of a stored data set, made when they are asked for."""

from __future__ import annotations

import torch

from slow_features.data.batch import Batch
from slow_features.data.counters import Split
from slow_features.data.geometry import normalise_actions, normalise_locations
from slow_features.data.manifest import REMEDY
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import StoredDataset
from slow_features.errors import InputError

EVALUATION_BATCH = 500
"""Batch size of every stream that feeds a probe, for every model.

The noise of a frame is scaled by m, the largest pixel of its whole batch, so the frames depend
on the batch size: models are only compared on the same frames if they share it.
"""


class BatchStream:
    """Whole batches of one split with one noise setting, in order, on one device.

    Batch i holds sequences i * batch_size to (i + 1) * batch_size - 1. It depends on nothing
    but i, so a stream can be read in any order, and a killed training goes on where it was.
    """

    def __init__(
        self,
        dataset: StoredDataset,
        split: Split,
        noise: NoiseSetting,
        batch_size: int,
        device: torch.device | str = "cpu",
        channels: int = 1,
        normalize: bool = True,
        sequences: int | None = None,
        keep_rest: bool = False,
        skipped: int = 0,
    ) -> None:
        """Open a stream.

        channels: of a frame; the data set must be written for them. normalize: pixels by the
        measured statistics, locations and actions to the published units; else px and raw grey.
        sequences: how many of the split's first sequences to use; None for all of them.
        keep_rest: also yield the last, smaller batch, which training drops.
        skipped: so many of the split's first sequences are not of the stream.
        Raises InputError when the data set is too small or made for other noise or channels.
        """
        stored = dataset.spec.sizes[split]
        self.sequences = stored - skipped if sequences is None else sequences
        if not 0 < batch_size <= self.sequences <= stored - skipped:
            behind = f" behind the first {skipped}" if skipped else ""
            raise InputError(
                f"split '{split}' of {dataset.folder} holds {stored} sequences; asked for: "
                f"{self.sequences}{behind} in batches of {batch_size}"
            )
        if channels != dataset.channels:
            raise InputError(
                f"{dataset.folder}: written for frames of {dataset.channels} channels, the model "
                f"takes {channels}; {REMEDY}"
            )
        self.dataset, self.split, self.noise, self.batch_size = dataset, split, noise, batch_size
        self.normalize, self.keep_rest, self.skipped = normalize, keep_rest, skipped
        self.device = torch.device(device)
        self._maker = dataset.frame_maker(split, noise, self.device, normalize)

    def __len__(self) -> int:
        """Return the number of batches."""
        whole, rest = divmod(self.sequences, self.batch_size)
        return whole + (self.keep_rest and rest > 0)

    def span(self, index: int) -> tuple[int, int]:
        """Return where batch number `index` begins and ends in the split."""
        first = index * self.batch_size
        end = min(first + self.batch_size, self.sequences)
        return self.skipped + first, self.skipped + end

    def batch(self, index: int) -> Batch:
        """Return batch number `index` (from 0), see `Batch` for the shapes.

        Raises InputError when the stream has fewer batches.
        """
        return self._make(index, None)

    def first_frames(self, index: int, count: int = 1) -> Batch:
        """Return batch number `index` with only the first `count` frames drawn.

        The frames are those of `batch`, to the bit; locations and actions are complete.
        """
        return self._make(index, count)

    def _make(self, index: int, count: int | None) -> Batch:
        if not 0 <= index < len(self):
            raise InputError(
                f"batch {index} of split '{self.split}' was asked for; {self.dataset.folder} "
                f"gives batches 0 to {len(self) - 1} of {self.batch_size} sequences"
            )
        first, end = self.span(index)
        locations, actions = self.dataset.sequences(self.split, first, end)
        frames = self._maker.frames(locations, first, count)
        if self.normalize:
            locations = normalise_locations(locations, self.dataset.spec.dot_std)
            actions = normalise_actions(actions)
        return Batch(
            states=frames,
            locations=torch.from_numpy(locations).to(self.device),
            actions=torch.from_numpy(actions).to(self.device),
        )
