"""Inverse dynamics: which action lies between two states (paper, section 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ActionPredictor(nn.Module):
    """One linear layer from (previous state, encoding of the next frame) to the action."""

    def __init__(self, embedding_size: int, action_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * embedding_size, action_dim)

    def forward(self, previous: Tensor, following: Tensor) -> Tensor:
        """Predict actions [T - 1, B, A] from states [T - 1, B, D] and encodings [T - 1, B, D]."""
        return self.linear(torch.cat([previous, following], dim=2))


def action_error(
    action_predictor: ActionPredictor, encodings: Tensor, predictions: Tensor, actions: Tensor
) -> Tensor:
    """Return the mean squared error of the predicted actions over steps, batch and x, y.

    encodings [T, B, D]; predictions [T - 1, B, D] of frames 1 .. T - 1; actions [T - 1, B, A].
    Published behaviour: the previous state is the encoding only at frame 0 and the *predicted*
    encoding after that, so the predictor learns from this error too (the paper says encodings).
    """
    previous = torch.cat([encodings[:1], predictions[:-1]])
    return F.mse_loss(action_predictor(previous, encodings[1:]), actions)
