"""The contrastive loss of SimCLR between predictions and encodings (Chen et al. 2020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from slow_features.losses.gram import gram


def contrastive_loss(
    predictions: Tensor, encodings: Tensor, temperature: float, normalize: bool
) -> Tensor:
    """Tell a prediction's own encoding from all other vectors of its time step.

    Both [T - 1, B, D]. At each step the 2B vectors are told apart by their dot products divided
    by `temperature`: cross-entropy of a vector's partner against the 2B - 2 others; it is never
    compared to itself. Mean over vectors and time steps. normalize: vectors of length 1 first.
    """
    vectors = torch.cat([predictions, encodings], dim=1)  # [T - 1, 2B, D]
    if normalize:
        vectors = F.normalize(vectors, dim=2)
    logits = gram(vectors) / temperature  # [T - 1, 2B, 2B]
    steps, count, _ = logits.shape
    itself = torch.eye(count, dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(itself, -torch.inf)
    partner = torch.arange(count, device=logits.device).roll(count // 2)
    return F.cross_entropy(logits.flatten(0, 1), partner.repeat(steps))
