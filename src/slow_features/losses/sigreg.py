"""SIGReg: embeddings that look like an isotropic Gaussian (LeJEPA, arXiv 2511.08544)."""

from __future__ import annotations

import torch
from torch import Tensor

DIRECTIONS = 256
POINTS, FARTHEST = 17, 3.0  # of the characteristic function: t in [0, 3], and [-3, 0] by symmetry


def sigreg(embeddings: Tensor, generator: torch.Generator) -> Tensor:
    """Return how far embeddings [T, B, D] are from a standard normal distribution over the batch.

    Mean over time steps and 256 random directions a of the Epps-Pulley statistic of the
    projections x = a'z of the batch: B times the integral over t in [-3, 3] of
    |mean exp(i t x) - exp(-t^2 / 2)|^2 exp(-t^2 / 2), by the trapezoid rule on 17 points of half
    of the range. generator: draws the directions.
    """
    size = embeddings.shape[-1]
    directions = torch.randn(size, DIRECTIONS, generator=generator, device=embeddings.device)
    directions = (directions / directions.norm(dim=0)).to(embeddings.dtype)
    t = torch.linspace(0, FARTHEST, POINTS, device=embeddings.device, dtype=embeddings.dtype)
    normal = torch.exp(-t.square() / 2)
    angles = (embeddings @ directions)[..., None] * t  # [T, B, 256, 17]
    real, imaginary = angles.cos().mean(1), angles.sin().mean(1)  # [T, 256, 17]
    distance = (real - normal).square() + imaginary.square()
    return embeddings.shape[1] * torch.trapezoid(distance * normal * 2, t).mean()
