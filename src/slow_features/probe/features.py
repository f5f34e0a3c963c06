"""What the probe reads: the states that a frozen model computes from frame 0 and the actions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from slow_features.data.stream import BatchStream
    from slow_features.models.base import WorldModel


# The steps that each of the two probes reads.
READS = {"pred": slice(None), "enc": slice(0, 1)}
_FRAMES_AT_ONCE = 512


@dataclass(frozen=True)
class States:
    """A batch of rollouts with the truth beside them.

    states: [T, B, D], the encoding of frame 0 and T - 1 predictions ("pred"); its first step
        alone, [1, B, D], is what the probe on encodings reads ("enc").
    locations: [T, B, dots, 2], in the units of the stream (normalised as published).
    """

    states: Tensor
    locations: Tensor

    def steps(self, chosen: slice) -> States:
        """Return some of the time steps of every sequence."""
        return States(self.states[chosen], self.locations[chosen])


def as_float64(tensor: Tensor) -> Tensor:
    """Return the tensor in float64, on the CPU where the device has no float64 (MPS)."""
    return tensor.cpu().double() if tensor.device.type == "mps" else tensor.double()


@torch.no_grad()
def encode_frames(model: WorldModel, frames: Tensor) -> Tensor:
    """Encode sequences of frames [T, N, C, H, W] in evaluation mode: [T, N, D], float64.

    Some sequences after the other, which needs little memory and equals all at once, since
    BatchNorm then uses its running statistics. The model's mode is left as it was.
    """
    was_training = model.training
    model.eval()
    at_once = max(1, _FRAMES_AT_ONCE // len(frames))
    try:
        encoded = [as_float64(model.encode(part)) for part in frames.split(at_once, dim=1)]
    finally:
        model.train(was_training)
    return torch.cat(encoded, dim=1)


def collect(model: WorldModel, stream: BatchStream, seed: int) -> Iterator[States]:
    """Yield the states of a stream batch by batch; one pass serves both probes."""
    for index in range(len(stream)):
        yield batch_states(model, stream, index, seed)


@torch.no_grad()  # not inference_mode: Adam differentiates a function of these states
def batch_states(model: WorldModel, stream: BatchStream, index: int, seed: int) -> States:
    """Roll the model out on batch `index` of a stream.

    Frame 0 alone is rendered and encoded: no later frame is read.
    """
    batch = stream.first_frames(index).time_major()
    generator = _generator(stream.device, seed, stream.split, index)
    with _as_probed(model):
        states = model.rollout(batch.states[0], batch.actions, generator)
    return States(states, batch.locations)


@contextmanager
def _as_probed(model: WorldModel) -> Iterator[None]:
    """Put the model into the mode it is probed in, and back; its buffers stay as they are.

    Published behaviour: evaluation mode, except that Supervised models stay in training mode.
    """
    was_training = model.training
    model.train(model.probed_in_training_mode)
    # BatchNorm in training mode records each batch in its running statistics.
    recording = model.buffers() if model.probed_in_training_mode else ()
    kept = [(buffer, buffer.clone()) for buffer in recording]
    try:
        yield
    finally:
        for buffer, value in kept:
            buffer.copy_(value)
        model.train(was_training)


def _generator(device: torch.device, seed: int, split: str, index: int) -> torch.Generator:
    """Return the randomness of a batch's rollout: a function of (seed, split, index) alone."""
    digest = hashlib.sha256(f"rollout {seed} {split} {index}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8]) >> 1)
