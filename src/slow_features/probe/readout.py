"""How much of something can be read off linearly: ridge regression, on rows held out from it."""

from __future__ import annotations

import torch
from torch import Tensor

_PENALTIES = torch.logspace(-9, 3, 13, dtype=torch.float64)  # times the mean eigenvalue of X'X


def held_out_r2(inputs: Tensor, targets: Tensor) -> float:
    """Return R2 = 1 - |Y - XW|^2 / |Y|^2 of the best linear map, on held-out sequences.

    inputs: [B, K, D], targets: [B, K, M], float64, K rows of each sequence. W [D, M] minimises
    |Y - XW|^2 + p |W|^2 over the first half of the sequences, whose means are taken off all rows
    (so the map has a constant). Of 13 penalties p the next quarter chooses the one with the
    smallest error, and R2 is that of the last quarter. 1: all of it can be read off; 0: no better
    than the mean, and also for targets that do not vary; negative: worse.
    """
    ends = len(inputs) // 2, len(inputs) * 3 // 4
    x = [part.flatten(0, 1) for part in inputs.tensor_split(ends)]
    y = [part.flatten(0, 1) for part in targets.tensor_split(ends)]
    x_mean, y_mean = x[0].mean(0), y[0].mean(0)
    fit, choose, test = ((a - x_mean, b - y_mean) for a, b in zip(x, y, strict=True))
    error = test[1] - test[0] @ _ridge(*fit, *choose)
    total = test[1].square().sum()
    return float(1 - error.square().sum() / total) if total > 0 else 0.0


def _ridge(x: Tensor, y: Tensor, x_choose: Tensor, y_choose: Tensor) -> Tensor:
    """Return W [D, M] fitted on rows x [N, D] and y [N, M]; other rows choose the penalty.

    With X'X = V diag(l) V' and A = V'X'Y the solution is W = V G A, G = diag(g), g = 1 / (l + p).
    Speed: with Z the other rows times V, their error |Y|^2 - 2 tr(A'GZ'Y) + tr(A'GZ'ZGA) is a
    quadratic form in g, so that 13 penalties cost hardly more than one.
    """
    values, vectors = torch.linalg.eigh(x.T @ x)
    moments = vectors.T @ (x.T @ y)
    penalties = _PENALTIES.to(values) * values.mean().clamp(min=1e-200)  # inputs may be all 0
    factors = 1 / (values.clamp(min=0) + penalties[:, None])  # [13, D]
    rotated = x_choose @ vectors
    linear = (moments * (rotated.T @ y_choose)).sum(1)
    quadratic = (rotated.T @ rotated) * (moments @ moments.T)
    errors = (factors @ quadratic * factors).sum(1) - 2 * factors @ linear
    return vectors @ (moments * factors[errors.argmin()][:, None])
