"""Counters in place of random state: what is drawn depends only on which draw it is.

The key of a frame's noise is a function of (split, seed, sequence, frame, channel), so any frame
can be made alone, in any order, on any device, and is the same each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

Split = Literal["train", "probe", "evaluation"]
SPLITS: tuple[Split, ...] = get_args(Split)

_EVERY_SEED = 0  # stands in place of the seed where a split does not depend on it
_FIXED_SLOT = 0  # the slot of noise that belongs to a whole sequence; frame i has slot i + 1
_SLOT_BITS, _CHANNEL_BITS = 12, 4  # n_steps is at most 1000, channels at most 3
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def entropy(split: Split, seed: int, purpose: Literal["trajectories", "noise"]) -> list[int]:
    """Return the integers that seed one kind of draw in one split.

    Only the train split depends on `seed`. The probe and evaluation splits are the same for
    every seed, so that models of all seeds are probed and compared on the same sequences: what
    differs between two results is then the model, not the luck of the test.
    """
    own_seed = seed if split == "train" else _EVERY_SEED
    return [own_seed, SPLITS.index(split), ("trajectories", "noise").index(purpose)]


def split_key(split: Split, seed: int) -> np.uint64:
    """Return the 64-bit key from which the keys of all frames of a split are derived."""
    return np.random.SeedSequence(entropy(split, seed, "noise")).generate_state(1, np.uint64)[0]


def frame_keys(
    key: np.uint64, sequences: np.ndarray, frames: Sequence[int] | None, channels: int
) -> np.ndarray:
    """Return one 64-bit key per sequence, frame and channel.

    key: of the split. sequences: [B] numbers of sequences in the split.
    frames: [T] numbers of frames; None for noise that a whole sequence shares (T = 1).
    Returns uint64 [B, T, channels]. The counters are distinct and the mixing (SplitMix64, Steele
    et al. 2014) is a bijection, so no two keys of a split are equal.
    """
    slots = np.array([_FIXED_SLOT] if frames is None else frames, dtype=np.uint64)
    if frames is not None:
        slots += np.uint64(1)
    counters = sequences.astype(np.uint64)[:, None, None] << np.uint64(_SLOT_BITS + _CHANNEL_BITS)
    counters = counters + (slots[:, None] << np.uint64(_CHANNEL_BITS))
    counters = counters + np.arange(channels, dtype=np.uint64)
    return _splitmix64(counters * _GOLDEN + key)


def _splitmix64(values: np.ndarray) -> np.ndarray:
    """Mix uint64 values (arithmetic modulo 2^64), a bijection."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
