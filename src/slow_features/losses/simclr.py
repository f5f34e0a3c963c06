"""Contrastive losses of predictions and encodings: SimCLR's (Chen et al. 2020), and remedies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from slow_features.losses.gram import gram


def contrastive_loss(
    predictions: Tensor, encodings: Tensor, temperature: float, normalize: bool
) -> Tensor:
    """Tell a prediction's own encoding from all other vectors of its group.

    Both [G, N, D]: as published, the groups are the T - 1 time steps and the N vectors are those
    of the batch. In each group the 2N vectors are told apart by their dot products divided by
    `temperature`: cross-entropy of a vector's partner against the 2N - 2 others; it is never
    compared to itself. Mean over vectors and groups. normalize: vectors of length 1 first.
    """
    vectors = torch.cat([predictions, encodings], dim=1)  # [G, 2N, D]
    if normalize:
        vectors = F.normalize(vectors, dim=2)
    logits = gram(vectors) / temperature  # [G, 2N, 2N]
    groups, count, _ = logits.shape
    itself = torch.eye(count, dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(itself, -torch.inf)
    partner = torch.arange(count, device=logits.device).roll(count // 2)
    return F.cross_entropy(logits.flatten(0, 1), partner.repeat(groups))


def within_sequence_loss(
    predictions: Tensor, encodings: Tensor, temperature: float, normalize: bool
) -> Tensor:
    """Tell a prediction's own encoding from the other times of the same sequence (a remedy).

    Both [T - 1, B, D]. What does not change within a sequence, as fixed noise, tells nothing apart,
    so it is no longer worth encoding (Gulati and Nemenman 2026, arXiv 2606.07770).
    """
    return contrastive_loss(
        predictions.transpose(0, 1), encodings.transpose(0, 1), temperature, normalize
    )


def other_actions_loss(
    predictions: Tensor, others: Tensor, encodings: Tensor, temperature: float, normalize: bool
) -> Tensor:
    """Tell which actions led to an encoding, from the same start (a remedy, ours).

    predictions, encodings: [T - 1, B, D]. others: [K, T - 1, B, D], predicted from the same start
    under other actions. Cross-entropy of an encoding's own prediction against the K others, by
    dot products divided by `temperature`; mean over steps and sequences. All of them share the
    sequence's fixed noise, so only what the actions change tells them apart.
    """
    candidates = torch.cat([predictions[None], others])  # [K + 1, T - 1, B, D]
    if normalize:
        candidates, encodings = F.normalize(candidates, dim=-1), F.normalize(encodings, dim=-1)
    logits = (candidates * encodings).sum(-1) / temperature  # [K + 1, T - 1, B]
    return -F.log_softmax(logits, dim=0)[0].mean()
