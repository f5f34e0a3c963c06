"""LARS: momentum with one learning rate per layer (You, Gitman and Ginsburg 2017)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class LARS(torch.optim.Optimizer):
    """Layer-wise adaptive rate scaling, with the published constants as defaults.

    For a parameter p with gradient g, in this order:

        g <- g + weight_decay * p            matrices and filters only
        g <- g * eta * |p| / |g|             likewise, where neither norm is 0
        buffer <- momentum * buffer + g      starting from 0
        p <- p - lr * buffer

    One-dimensional parameters (biases, BatchNorm) get neither decay nor adaptation.
    The buffers are in `state_dict`, so a run that goes on from it takes the same steps.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.9,
        eta: float = 0.001,
        weight_decay: float = 1e-6,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "eta": eta, "weight_decay": weight_decay}
        super().__init__(params, settings)

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            self._update(group)

    def _update(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if not params:
            return
        layers = [p for p in params if p.ndim > 1]
        vectors = [p for p in params if p.ndim <= 1]
        steps = _adapted_gradients(layers, group["eta"], group["weight_decay"])
        steps += [p.grad for p in vectors]
        params = layers + vectors
        buffers = [self._buffer(p) for p in params]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, steps)
        torch._foreach_add_(params, buffers, alpha=-group["lr"])

    def _buffer(self, param: nn.Parameter) -> Tensor:
        state = self.state[param]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(param)
        return state["momentum_buffer"]


def _adapted_gradients(layers: list[nn.Parameter], eta: float, weight_decay: float) -> list[Tensor]:
    """Return g * eta * |p| / |g| with g = gradient + weight_decay * p, for all layers at once.

    Equals the loop over layers: each norm and product is the same operation, issued for the whole
    list in one call. The norms stay on the device, so nothing waits for it.
    """
    if not layers:
        return []
    gradients = torch._foreach_add([p.grad for p in layers], layers, alpha=weight_decay)
    sizes = torch.stack(torch._foreach_norm(layers))
    slopes = torch.stack(torch._foreach_norm(gradients))
    trust = torch.where((sizes > 0) & (slopes > 0), eta * sizes / slopes, 1.0)
    torch._foreach_mul_(gradients, list(trust.unbind()))
    return list(gradients)
