"""The two terms of VICReg that keep embeddings from collapsing (Bardes et al. 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from slow_features.losses.gram import gram

TARGET_STD = 1.0
VARIANCE_EPSILON = 1e-4  # keeps the slope of the square root finite


def variance_hinge(embeddings: Tensor) -> Tensor:
    """Punish features that hardly vary over a batch: embeddings [T, B, D] -> scalar.

    Mean over time steps and features of relu(1 - sqrt(var + 1e-4)), the variance unbiased.
    """
    variance = _centred(embeddings).square().sum(1) / (embeddings.shape[1] - 1)
    return F.relu(TARGET_STD - (variance + VARIANCE_EPSILON).sqrt()).mean()


def covariance(embeddings: Tensor) -> Tensor:
    """Punish features that vary together over a batch: embeddings [T, B, D] -> scalar.

    Mean over time steps of the sum of squared off-diagonal entries of X'X / (B - 1), divided by
    D; X is the batch with each feature's mean taken off.
    """
    _, batch, size = embeddings.shape
    return squared_off_diagonal(_centred(embeddings)).mean() / ((batch - 1) ** 2 * size)


def squared_off_diagonal(rows: Tensor) -> Tensor:
    """Return the sum of squared off-diagonal entries of X'X for each X: [T, B, D] -> [T].

    With B < D it is taken from the smaller matrix XX'. Exact: the squares of all entries of X'X
    and of XX' have the same sum, trace(X X' X X'), and the diagonal of X'X, which is taken off, is
    the squared length of each feature. The difference is safe in float32: B - 1 directions shared
    by D > B features leave a large part of the sum off the diagonal.
    """
    _, batch, size = rows.shape
    if batch < size:
        diagonal = rows.square().sum(1)
        return gram(rows).square().sum((1, 2)) - diagonal.square().sum(1)
    products = gram(rows.mT)
    return (products - torch.diag_embed(products.diagonal(dim1=1, dim2=2))).square().sum((1, 2))


def _centred(embeddings: Tensor) -> Tensor:
    return embeddings - embeddings.mean(dim=1, keepdim=True)
