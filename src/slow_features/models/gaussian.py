"""Diagonal Gaussians: what a sample of the RSSM is drawn from."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn


class Gaussian(NamedTuple):
    """Independent normal distributions; mean and scale (standard deviation) are [..., D]."""

    mean: Tensor
    scale: Tensor

    def draw(self, noise: Tensor) -> Tensor:
        """Return mean + scale * noise [..., D] as plain values: a sample carries no gradient.

        noise: [..., D], standard normal.
        """
        return (self.mean + self.scale * noise).detach()


def kl_divergence(p: Gaussian, q: Gaussian) -> Tensor:
    """Return KL(p || q) of every entry by itself, in nats, [..., D].

    log(s_q / s_p) + (s_p^2 + (m_p - m_q)^2) / (2 s_q^2) - 1/2, with means m and scales s.
    """
    ratio = p.scale / q.scale
    distance = (p.mean - q.mean) / q.scale
    return 0.5 * (ratio.square() + distance.square() - 1) - ratio.log()


class GaussianHead(nn.Module):
    """Features [..., F] -> a Gaussian of size D, from one net for the mean and one for the scale.

    sizes: F, hidden sizes, D. Each linear layer has a ReLU behind it, the last one too, so that no
    mean is negative; the scale passes a softplus at the end, so that none is below log 2.
    """

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.mean = _relu_layers(sizes)
        self.scale = _relu_layers(sizes)

    def forward(self, features: Tensor, min_scale: float | Tensor) -> Gaussian:
        """Return the Gaussian in the precision of the features; min_scale is added to its scale."""
        mean, scale = self.mean(features), self.scale(features)
        return Gaussian(mean.to(features.dtype), F.softplus(scale.to(features.dtype)) + min_scale)


def _relu_layers(sizes: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size_in, size_out in pairwise(sizes):
        layers += [nn.Linear(size_in, size_out), nn.ReLU()]
    return nn.Sequential(*layers)
