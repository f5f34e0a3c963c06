"""LARS and the published schedule, written out one parameter and one branch at a time."""

import math

import torch


def slow_lars_step(
    params, gradients, buffers, lr, momentum=0.9, eta=0.001, weight_decay=1e-6
) -> None:
    """One LARS update of `params` and `buffers` in place, in plain Python numbers per layer."""
    for p, g, buffer in zip(params, gradients, buffers, strict=True):
        step = g.clone()
        if p.ndim > 1:
            step = step + weight_decay * p
            size, slope = p.norm().item(), step.norm().item()
            if size > 0 and slope > 0:
                step = step * (eta * size / slope)
        buffer.copy_(momentum * buffer + step)
        p.copy_(p - lr * buffer)


class SlowLARS:
    """The straightforward optimiser: a loop over parameters. Baseline of the benchmarks."""

    def __init__(self, params, lr):
        self.params = list(params)
        self.lr = lr
        self.buffers = [torch.zeros_like(p) for p in self.params]

    @torch.no_grad()
    def step(self):
        slow_lars_step(self.params, [p.grad for p in self.params], self.buffers, self.lr)

    def zero_grad(self):
        for p in self.params:
            p.grad = None


def slow_rates(base_lr, batch_size, steps_per_epoch, epochs):
    """The rates of a whole run as a list; at 100 epochs exactly the published formula.

    The counter of the published code starts at steps_per_epoch, its warm-up is 10 epochs, its
    cosine spans the other epochs - 10. Other lengths take the rate at the same part of the run.
    """
    full, published = base_lr * batch_size / 256, []
    for step in range(steps_per_epoch * epochs):
        epoch = 1 + 100 * step / (steps_per_epoch * epochs)  # in epochs of a run of 100
        if epoch < 10:
            published.append(full * epoch / 10)
        else:
            q = 0.5 * (1 + math.cos(math.pi * (epoch - 10) / 90))
            published.append(full * q + full * 0.001 * (1 - q))
    return published
