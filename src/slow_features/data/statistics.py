"""Mean and standard deviation of the pixels, by which frames are normalised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PixelStatistics:
    """Mean and standard deviation of the pixels of each dot's frames."""

    mean: tuple[Annotated[float, Field(allow_inf_nan=False)], ...]
    std: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...]

    @classmethod
    def identity(cls, dots: int) -> PixelStatistics:
        """Return the statistics that change nothing: mean 0, standard deviation 1."""
        return cls(mean=(0.0,) * dots, std=(1.0,) * dots)


def measure(batches: Iterable[Tensor]) -> PixelStatistics:
    """Measure the pixels of batches of equal size, [B, T, C, H, W] each.

    The variance over all pixels is the mean of the batches' variances plus the variance of their
    means (law of total variance), so one pass is enough and nothing large is subtracted. Six
    digits are kept: sums in another order, on another machine, then give the same data set.
    """
    import torch

    measured = [torch.var_mean(frames, dim=(0, 1, 3, 4), correction=0) for frames in batches]
    variances = torch.stack([variance for variance, _ in measured]).double()
    means = torch.stack([mean for _, mean in measured]).double()
    total = variances.mean(0) + means.var(0, correction=0)
    return PixelStatistics(mean=_rounded(means.mean(0)), std=_rounded(total.sqrt()))


def _rounded(values: Tensor) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values.tolist())
