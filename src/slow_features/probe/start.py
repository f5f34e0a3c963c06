"""The baseline "start": where each dot was at first, known exactly, and nothing of its moves.

No model can do better on a dot whose moves nobody tells it, however well it has understood the
first frame. Needs no model and no frames.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from slow_features.data.geometry import bounds, centre
from slow_features.data.trajectories import roll_out, sample


@cache
def start_errors(
    dots: int, dot_std: float, n_steps: int, fitted_on: int, evaluated_on: int
) -> np.ndarray:
    """Return the mean squared distances of "start", [T, dots] in px^2, float64.

    For each step and dot, least squares from the true first location to the one at that step
    (without an intercept: both are counted from the centre of the image), fitted on the first
    sequences of the probe split, measured on the first of the evaluation split.
    """
    fit = _walks("probe", dots, dot_std, n_steps, fitted_on)  # [n, T, dots, 2]
    measured = _walks("evaluation", dots, dot_std, n_steps, evaluated_on)
    errors = np.empty((n_steps, dots))
    for step in range(n_steps):
        for dot in range(dots):
            weights, *_ = np.linalg.lstsq(fit[:, 0, dot], fit[:, step, dot], rcond=None)
            missed = measured[:, 0, dot] @ weights - measured[:, step, dot]
            errors[step, dot] = np.square(missed).sum(-1).mean()
    return errors


def _walks(split: str, dots: int, dot_std: float, n_steps: int, count: int) -> np.ndarray:
    low, high = bounds(dot_std)
    start, actions = sample(split, 0, dots, dot_std, n_steps, 0, count)
    return roll_out(start, actions, low, high).astype(np.float64) - centre()


def root_of_mean(mean_squares: np.ndarray) -> np.ndarray:
    """Return the root of the mean over steps, [T, ...] -> [...]: how this project averages."""
    return np.sqrt(mean_squares.mean(0))


def mean_of_roots(mean_squares: np.ndarray) -> np.ndarray:
    """Return the mean over steps of each step's root, [T, ...] -> [...]; never the larger one."""
    return np.sqrt(mean_squares).mean(0)
