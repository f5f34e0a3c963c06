"""Fully connected networks described by their layer sizes, as in "512-512-512"."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def layer_sizes(text: str) -> list[int]:
    """Read layer sizes: "512-256" -> [512, 256]."""
    return [int(size) for size in text.split("-")]


def mlp(sizes: Sequence[int], batch_norm: bool = False) -> nn.Sequential:
    """Build linear layers [N, sizes[0]] -> [N, sizes[-1]] with a ReLU between them.

    batch_norm: put a BatchNorm before each ReLU.
    """
    layers: list[nn.Module] = []
    for size_in, size_out in pairwise(sizes):
        if layers:
            layers += [nn.BatchNorm1d(size_in)] if batch_norm else []
            layers.append(nn.ReLU())
        layers.append(nn.Linear(size_in, size_out))
    return nn.Sequential(*layers)
