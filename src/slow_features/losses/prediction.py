"""The error between predicted and true encodings."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def prediction_error(predictions: Tensor, encodings: Tensor) -> Tensor:
    """Return the mean squared error over time steps, batch and features.

    Both [T - 1, B, D], of frames 1 .. T - 1. The gradient flows into both: no stop-gradient.
    """
    return F.mse_loss(predictions, encodings)
