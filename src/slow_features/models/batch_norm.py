"""BatchNorm for channels_last maps whose sums stay accurate in float32 on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class BatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d, same parameters and results, made for channels_last memory.

    PyTorch's own CPU kernel adds the N * H * W values of a channel one after the other in float32
    when memory is channels_last. Mean and variance are then off by 1e-4, which moves values
    across the zero of the next ReLU, and the gradients of a whole encoder are off by 1 to 3 %
    while its loss looks right. So training in float32 on a CPU takes the function below; bfloat16
    (rounding errors of 4e-3 anyway), other devices and evaluation take PyTorch's.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise maps [N, C, H, W] by channel."""
        accurate = maps.device.type == "cpu" and maps.dtype in (torch.float32, torch.float64)
        if not (self.training and accurate):
            return super().forward(maps)
        pixels = maps.permute(0, 2, 3, 1)  # [N, H, W, C], contiguous if maps are channels_last
        rows = pixels.reshape(-1, self.num_features)
        normalised, mean, variance = _RowNorm.apply(rows, self.weight, self.bias, self.eps)
        self._update_running(mean, variance, len(rows))
        return normalised.view(pixels.shape).permute(0, 3, 1, 2)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics as nn.BatchNorm2d does: the variance is made unbiased."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)


class _RowNorm(torch.autograd.Function):
    """Normalise the columns of a matrix of pixels, [N * H * W, C].

    `sum(0)` adds rows in a cascade, with an error that does not grow with their number. Exact: the
    textbook forward and backward pass; the mean is taken off before squaring, so nothing cancels.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the normalised rows and each column's mean and (biased) variance."""
        mean = rows.sum(0) / len(rows)
        centred = rows - mean
        variance = centred.square().sum(0) / len(rows)
        inverse_std = (variance + eps).rsqrt()
        normalised = torch.addcmul(bias, centred, weight * inverse_std, out=centred)
        ctx.save_for_backward(rows, mean, inverse_std, weight)
        ctx.mark_non_differentiable(mean, variance)
        return normalised, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: None) -> tuple[Tensor | None, ...]:
        """Return the gradients of rows, weight and bias.

        With x^ the normalised rows, g the incoming gradient and E the mean over rows:
        dx = weight / std * (g - E[g] - x^ E[g x^]), here as scale * g + slope * x + offset.
        """
        rows, mean, inverse_std, weight = ctx.saved_tensors
        grad_bias = grad.sum(0)
        products = grad * rows
        grad_weight = (products.sum(0) - mean * grad_bias) * inverse_std
        scale = weight * inverse_std
        slope = -scale * inverse_std * grad_weight / len(rows)
        offset = -scale * grad_bias / len(rows) - slope * mean
        grad_rows = torch.addcmul(offset, rows, slope, out=products).addcmul_(grad, scale)
        return grad_rows, grad_weight, grad_bias, None
