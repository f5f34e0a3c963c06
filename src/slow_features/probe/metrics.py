"""The error that the paper reports (section 3), its names, and the centre to compare it with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from slow_features.data.geometry import centre, to_unit_square
from slow_features.errors import TrainingError

if TYPE_CHECKING:  # who reads results alone does not wait for torch
    from torch import Tensor

# The metrics of an experiment, as files, plots, tables and MLflow name them.
NAMES = {
    "rmse_px": "error of the probe on rollouts: root of the mean over steps and dots, px",
    "rmse_unit": "the same on the paper's unit square, px / 28",
    "enc_rmse_px": "error of the probe on the encoding of frame 0, px",
    "centre_rmse_px": "error of always answering the centre of the image, px",
    "spread": "of the rollouts' states, relative to their root mean square",
    "collapsed": "1 where that spread is below 0.001: the states are one constant",
    "rank": "independent directions of the states that the closed form was fitted on",
    "noise_share": "of the encodings' variance: explained by which noise image it is",
    "dot_share": "of the encodings' variance: explained by where the dots are",
}


def dot_name(dot: str) -> str:
    """Return the name of the rollouts' error on one dot, in px, where there are several dots."""
    return f"rmse_px_{dot}"


class ErrorTable(TypedDict):
    """Root mean squared distances by what they are the mean over; T steps, dots by name."""

    rmse_px: float
    rmse_unit: float
    per_step_px: list[float]
    per_dot_px: dict[str, float]
    per_dot_unit: dict[str, float]
    per_step_per_dot_px: dict[str, list[float]]


class SquaredDistance:
    """The squared distance of decoded from true locations, summed over sequences.

    total: [T, dots] in px^2, float64. sequences: how many are in.
    """

    def __init__(self) -> None:
        self.total: Tensor | float = 0.0  # a number until the first batch
        self.sequences = 0

    def add(self, decoded_px: Tensor, true_px: Tensor) -> None:
        """Add a batch: both [T, B, dots, 2], float64, in px."""
        self.total = self.total + (decoded_px - true_px).square().sum(-1).sum(1)
        self.sequences += true_px.shape[1]

    def mean(self) -> Tensor:
        """Return the mean over sequences, per time step and dot: [T, dots] in px^2.

        Of one batch at least. Raises TrainingError when it is not finite.
        """
        mean = self.total / self.sequences
        if not mean.isfinite().all():
            raise TrainingError("what the probe reads off the model's states is not finite")
        return mean


def error_table(mean_squares: Tensor, dots: Sequence[str]) -> ErrorTable:
    """Turn mean squared distances [T, dots] in px^2 into root mean squared errors.

    Every root is taken last: of the mean over steps, over dots or over both, as the paper does.
    dots: their names, in order.
    """
    rmse = mean_squares.mean().sqrt().item()
    per_dot = dict(zip(dots, mean_squares.mean(0).sqrt().tolist(), strict=True))
    return {
        "rmse_px": rmse,
        "rmse_unit": to_unit_square(rmse),
        "per_step_px": mean_squares.mean(1).sqrt().tolist(),
        "per_dot_px": per_dot,
        "per_dot_unit": {dot: to_unit_square(value) for dot, value in per_dot.items()},
        "per_step_per_dot_px": dict(zip(dots, mean_squares.T.sqrt().tolist(), strict=True)),
    }


def centre_like(true_px: Tensor) -> Tensor:
    """Return the centre baseline's answer: the mean location, whatever the sequence."""
    return true_px.new_full(true_px.shape, centre())
