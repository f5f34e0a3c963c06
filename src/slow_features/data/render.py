"""Drawing dots: each is a two-dimensional Gaussian density (paper, section 3)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from slow_features.data.geometry import IMAGE_SIZE, LAST_PIXEL, amplitude


def add_dots(frames: Tensor, locations: Tensor, dot_std: float, scale: Tensor) -> None:
    """Add each dot, times a scale of its own, to its frames in place.

    frames: [B, T, dots, 28, 28]. locations: [B, T, dots, 2] in px. scale: [dots].

    Speed: exp(-(dx^2 + dy^2) / 2s^2) = exp(-dx^2 / 2s^2) * exp(-dy^2 / 2s^2), so a dot is the
    outer product of two Gaussians of 28 values each. It equals the density of all 784 pixels up
    to the rounding of one product, with 56 exponentials instead of 784. A Gaussian ends at
    exp(-40): the density is then off by less than 1e-17 of its height, far below float32's
    rounding beside the dot, and no processor meets the subnormal numbers that it is slow with.
    """
    pixels = torch.arange(IMAGE_SIZE, dtype=torch.float32, device=locations.device)
    distances = pixels - locations.unsqueeze(-1)
    exponents = distances.square_().mul_(-0.5 / dot_std**2)
    profiles = exponents.clamp_(min=-40).exp_()  # [B, T, dots, 2, 28]
    columns, rows = profiles.unbind(-2)
    heights = (scale * amplitude(dot_std))[:, None]
    frames.addcmul_((rows * heights).unsqueeze(-1), columns.unsqueeze(-2))


def peak(locations: np.ndarray, dot_std: float) -> float:
    """Return the largest pixel of a batch of clean dots, the m that noise is scaled by.

    locations: [B, T, dots, 2] in px, a whole batch with all its frames: the noise of frame 0
    depends on m, so it is the same when only frame 0 is drawn. Dots are drawn one by one and
    share m, so it is the largest pixel of a single dot.

    Speed: a dot's largest pixel is the one nearest to its centre, so the largest of all belongs
    to the dot closest to the centre of a pixel, and nothing is rendered. It is computed where
    the locations come from, in the host's memory: no device has to be waited for.
    """
    nearest = np.clip(np.rint(locations), 0, LAST_PIXEL)
    distance = np.square(locations - nearest).sum(-1).min()
    return amplitude(dot_std) * math.exp(-0.5 * float(distance) / dot_std**2)
