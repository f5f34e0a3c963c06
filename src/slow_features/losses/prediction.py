"""Errors between predicted and true encodings."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def prediction_error(predictions: Tensor, encodings: Tensor) -> Tensor:
    """Return the mean squared error over time steps, batch and features.

    Both [T - 1, B, D], of frames 1 .. T - 1. The gradient flows into both: no stop-gradient.
    """
    return F.mse_loss(predictions, encodings)


def difference_error(predictions: Tensor, encodings: Tensor) -> Tensor:
    """Return the mean squared error between the changes from one frame to the next.

    Both [T - 1, B, D], of frames 1 .. T - 1; 0 if that is a single frame, which has no change.
    """
    error = (predictions - encodings).diff(dim=0)
    return error.square().sum() / max(error.numel(), 1)
