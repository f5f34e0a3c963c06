"""How states move in time: does a model predict motion, or is its encoding constant in time?

The paper's explanation of the failure at fixed noise: an encoding that is constant within a
sequence and different between sequences (the noise) is predicted perfectly by copying it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from slow_features.data.batch import TimeMajorBatch
from slow_features.data.stream import BatchStream
from slow_features.models.base import WorldModel
from slow_features.models.jepa import JepaModel
from slow_features.probe.features import as_float64, batch_states

SEQUENCES = 512  # at most; more change no digit that matters


def measure_dynamics(model: WorldModel, stream: BatchStream, seed: int) -> dict[str, float]:
    """Measure the encodings of the stream's first batch, at most 512 sequences, in float64.

    encoding_variance: variance of the encodings e over sequences, mean over frames and features.
    variance_over_time: share of the variance over all encodings that lies within sequences, in
        [0, 1]; 0 for encodings that are constant in time.
    copy_mse: mean of (e_0 - e_t)^2 over t = 1 .. T - 1, sequences and features: the error of
        predicting the encoding of frame 0 for all times.
    prediction_mse: the same for the predicted states, (p_t - e_t)^2.

    The last one is there only for models whose states predict encodings (VICReg, SimCLR, IDM).
    IDM has no loss that pulls them together, so a large value is no failure of it. A belief of
    RSSM is another thing than an encoding, and Supervised and Random learn nothing about the
    encodings of later frames: there it makes no sense and is left out.

    stream: of whole sequences under the model's noise. seed: as for the probe.
    """
    batch = stream.batch(0).time_major()
    encodings = _encode(model, batch)  # [T, B, D]
    measured = {
        "encoding_variance": encodings.var(1, correction=0).mean(),
        "variance_over_time": _share_over_time(encodings),
        "copy_mse": (encodings[1:] - encodings[0]).square().mean(),
    }
    if isinstance(model, JepaModel):
        states = as_float64(batch_states(model, stream, 0, seed).states[1:, :SEQUENCES])
        measured["prediction_mse"] = (states - encodings[1:]).square().mean()
    return {name: float(f"{value.item():.6g}") for name, value in measured.items()}


@torch.no_grad()
def _encode(model: WorldModel, batch: TimeMajorBatch) -> Tensor:
    """Encode all frames in evaluation mode, one time step after the other: [T, B, D], float64.

    One step at a time needs little memory and equals all at once, since BatchNorm then uses its
    running statistics. The model's mode is left as it was.
    """
    was_training = model.training
    model.eval()
    try:
        steps = [as_float64(model.encode(frames[:SEQUENCES])) for frames in batch.states]
    finally:
        model.train(was_training)
    return torch.stack(steps)


def _share_over_time(encodings: Tensor) -> Tensor:
    """Return the variance over time within sequences over the total variance; 0 for a constant.

    encodings: [T, B, D]. Variances are summed over features (law of total variance).
    """
    within = encodings.var(0, correction=0).mean(0).sum()
    total = encodings.flatten(0, 1).var(0, correction=0).sum()
    return within / total.clamp(min=torch.finfo(total.dtype).tiny)
