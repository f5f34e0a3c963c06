"""Products of all pairs of rows, the core of both the covariance and the contrastive loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def gram(rows: Tensor) -> Tensor:
    """Return all dot products Z Z' of the rows of Z: [T, N, D] -> [T, N, N].

    Exact: with G the incoming gradient, the gradient of Z Z' is G Z + G' Z. Autograd computes the
    two products; here it is the one product (G + G') Z.
    """
    return _Gram.apply(rows)


class _Gram(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        return rows @ rows.mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (rows,) = ctx.saved_tensors
        return (grad + grad.mT) @ rows
