"""How states move in time: does a model predict motion, or is its encoding constant in time?

The paper's explanation of the failure at fixed noise: an encoding that is constant within a
sequence and different between sequences (the noise) is predicted perfectly by copying it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from slow_features.data.stream import BatchStream
from slow_features.models.base import WorldModel
from slow_features.models.jepa import JepaModel
from slow_features.probe.features import as_float64, batch_states, encode_frames
from slow_features.probe.readout import held_out_r2

SEQUENCES = 512  # at most; more change no digit that matters


def measure_dynamics(model: WorldModel, stream: BatchStream, seed: int) -> dict[str, float]:
    """Measure the encodings of the stream's first batch, at most 512 sequences, in float64.

    e_t: the encoding of frame t; p_t: the state that the rollout predicts for it; T frames.

    encoding_variance: variance of the encodings over sequences, mean over frames and features.
    variance_over_time: share of the variance over all encodings that lies within sequences, in
        [0, 1]; 0 for encodings that are constant in time.
    copy_mse: mean of (e_0 - e_t)^2 over t = 1 .. T - 1, sequences and features: the error of
        predicting the encoding of frame 0 for all times.
    prediction_mse: the same for the predicted states, (p_t - e_t)^2.
    copy_direction_mse, prediction_direction_mse: the same of e / |e| and p / |p|, for losses that
        leave the lengths free.
    motion_r2: how much of what moves is predicted: `held_out_r2` of the linear map from p_t to e_t,
        both without their mean over the sequence's t = 1 .. T - 1, so that what is constant in a
        sequence, as fixed noise, counts for nothing.

    prediction_... and motion_r2 are there only for models whose states predict encodings (VICReg,
    SimCLR, IDM). IDM has no loss that pulls them together, so a large error is no failure of it. A
    belief of RSSM is another thing than an encoding, and Supervised and Random learn nothing about
    the encodings of later frames: there it makes no sense and is left out. Predicting the mean over
    time alone halves the error of copying, so a ratio below 1 is no success yet; motion_r2 is 0.

    stream: of whole sequences under the model's noise. seed: as for the probe.
    """
    frames = stream.batch(0).time_major().states[:, :SEQUENCES]
    encodings = encode_frames(model, frames)  # [T, B, D]
    measured = {
        "encoding_variance": encodings.var(1, correction=0).mean(),
        "variance_over_time": _share_over_time(encodings),
        "copy_mse": _error(encodings[:1], encodings[1:]),
        "copy_direction_mse": _error(_unit(encodings[:1]), _unit(encodings[1:])),
    }
    if isinstance(model, JepaModel):
        later = encodings[1:]
        states = as_float64(batch_states(model, stream, 0, seed).states[1:, :SEQUENCES])
        measured["prediction_mse"] = _error(states, later)
        measured["prediction_direction_mse"] = _error(_unit(states), _unit(later))
        moves = [(steps - steps.mean(0)).transpose(0, 1) for steps in (states, later)]
        measured["motion_r2"] = held_out_r2(*moves)
    return {name: float(f"{float(value):.6g}") for name, value in measured.items()}


def _error(predicted: Tensor, true: Tensor) -> Tensor:
    return (predicted - true).square().mean()


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors, dim=-1)


def _share_over_time(encodings: Tensor) -> Tensor:
    """Return the variance over time within sequences over the total variance; 0 for a constant.

    encodings: [T, B, D]. Variances are summed over features (law of total variance).
    """
    within = encodings.var(0, correction=0).mean(0).sum()
    total = encodings.flatten(0, 1).var(0, correction=0).sum()
    return within / total.clamp(min=torch.finfo(total.dtype).tiny)
