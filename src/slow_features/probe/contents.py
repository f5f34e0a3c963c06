"""What the embedding holds: the noise, the dot, or both together.

The paper's explanation of the failure at fixed noise is that the encoding is the noise image. Here
it is measured: the same dots are put on the same noise images in all combinations.
"""

from __future__ import annotations

import torch
from torch import Tensor

from slow_features.data.geometry import IMAGE_SIZE
from slow_features.data.render import add_dots
from slow_features.data.stream import BatchStream
from slow_features.models.base import WorldModel
from slow_features.probe.features import encode_frames
from slow_features.probe.readout import held_out_r2

NOISES, DOTS = 48, 64  # of the two-way design
FRAMES = 8000  # that the noise is read out of, and the effective rank is taken of


def measure_contents(model: WorldModel, stream: BatchStream) -> dict[str, float]:
    """Measure encodings of the stream's first sequences, in evaluation mode and float64.

    effective_rank: of the encodings of the first 8000 sequences' frame 0, see `effective_rank`.
    noise_share, dot_share, interaction_share: see `shares`, of the encodings of 48 noise images
        with each of 64 places of the dots, those of frame 0 of the first sequences.
    noise_r2: how much of the noise image can be read off linearly, see `held_out_r2`: from the
        encodings of the first 8000 frames 0 to all their pixels of noise. A uniform image has 784
        independent pixels, so D features hold D / 784 of it at most.

    All but effective_rank only where there is noise. For several dots their joint place is one
    factor, and the noise of all channels together the other. Changing noise: the same question of
    a single frame, how much of its encoding is noise; that noise says nothing of the next frame's.

    Evaluation mode also for Supervised, which is probed in training mode: there a frame's encoding
    depends on the other frames, and no such design can be made.
    """
    batches = range(min(-(-FRAMES // stream.batch_size), len(stream)))
    parts = [_apart(stream, index, model.first_frames) for index in batches]
    noise, dots = (torch.cat(part)[:FRAMES] for part in zip(*parts, strict=True))
    encodings = _encode(model, noise + dots)
    measured = {"effective_rank": effective_rank(encodings)}
    if stream.noise.alpha:
        measured |= shares(_encode(model, noise[:NOISES, None] + dots[:DOTS]))
        images = noise[:, 0].flatten(1).to(encodings)
        measured["noise_r2"] = held_out_r2(encodings[:, None], images[:, None])
    return {name: float(f"{value:.6g}") for name, value in measured.items()}


def shares(encodings: Tensor) -> dict[str, float]:
    """Return which shares of the variance are explained by noise, by dot, by both together.

    encodings: [I, J, D], noise image i with dots j. Two-way analysis of variance without
    replication (Fisher 1925), squares summed over features; with e_i the mean over j, e_j the mean
    over i, e the mean of all:

        e_ij - e = (e_i - e) + (e_j - e) + (e_ij - e_i - e_j + e)
        noise    = J sum_i |e_i - e|^2 / S,    dot = I sum_j |e_j - e|^2 / S,
        interaction = sum_ij |e_ij - e_i - e_j + e|^2 / S,    S = sum_ij |e_ij - e|^2

    The three sum to 1; all are 0 for encodings that do not vary. interaction: what a dot changes
    depends on the noise that it is put on.
    """
    encodings = encodings - encodings.mean((0, 1))
    of_noise, of_dot = encodings.mean(1, keepdim=True), encodings.mean(0, keepdim=True)
    squares = {
        "noise_share": of_noise.square().sum() * encodings.shape[1],
        "dot_share": of_dot.square().sum() * encodings.shape[0],
        "interaction_share": (encodings - of_noise - of_dot).square().sum(),
    }
    total = encodings.square().sum().clamp(min=torch.finfo(encodings.dtype).tiny)
    return {name: float(value / total) for name, value in squares.items()}


def effective_rank(encodings: Tensor) -> float:
    """Return RankMe, exp(-sum_k p_k log p_k) with p_k = s_k / sum s, s the singular values.

    encodings: [N, D], not centred. From 1 (one direction) to min(N, D) (all alike).
    Garrido et al. 2023, arXiv 2210.02885; their small constant, which keeps float32 from log 0, is
    not needed here. High is no success: a failing encoding may spread the noise over many
    directions.
    """
    values = torch.linalg.svdvals(encodings)
    portions = values / values.sum().clamp(min=torch.finfo(values.dtype).tiny)
    return float(torch.special.entr(portions).sum().exp())


def _encode(model: WorldModel, frames: Tensor) -> Tensor:
    """Encode frame 0 from the frames that it takes, [..., first_frames, C, 28, 28]: [..., D]."""
    flat = frames.flatten(0, -5).transpose(0, 1)
    return encode_frames(model, flat)[0].unflatten(0, frames.shape[:-4])


def _apart(stream: BatchStream, index: int, count: int) -> tuple[Tensor, Tensor]:
    """Return noise and dots of a batch's first `count` frames, whose sum the frames are.

    Both [B, count, C, 28, 28] as a model is given them: normalised, the noise scaled by the batch's
    largest pixel m.
    """
    drawn = stream.first_frames(index, count).states  # [B, count, C, 28, 28]
    data = stream.dataset
    locations, _ = data.sequences(stream.split, *stream.span(index))
    std = torch.tensor(data.statistics(stream.noise).std, device=drawn.device)
    scale = 1 / std if stream.normalize else torch.ones_like(std)
    dots = drawn.new_zeros(len(drawn), count, data.spec.dots, IMAGE_SIZE, IMAGE_SIZE)
    places = torch.from_numpy(locations[:, :count]).to(drawn.device)
    add_dots(dots, places, data.spec.dot_std, scale)
    if drawn.shape[2] < data.spec.dots:
        dots = dots.sum(2, keepdim=True)
    return drawn - dots, dots
