"""The arithmetic of a training step, counted on tensors without content."""

from __future__ import annotations

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import slow
from slow_features.data.batch import TimeMajorBatch
from slow_features.models.registry import MODELS


def flops_per_sequence(config, form):
    """Return the operations of forward and backward pass for one sequence, by kind.

    form: "slow" or "ours". Products and convolutions alone, a multiplication and an addition each
    counted as one; what is added pixel by pixel does not show beside them.
    """
    batch, frames, dots = config.batch_size, config.n_steps, config.dots
    with FakeTensorMode(), FlopCounterMode(display=False) as counter:
        model = slow.build(config) if form == "slow" else _ours(config)
        example = TimeMajorBatch(
            states=torch.empty(frames, batch, config.model.channels, 28, 28),
            locations=torch.empty(frames, batch, dots, 2),
            actions=torch.empty(frames - 1, batch, 2),
        )
        model.train().losses(example, torch.Generator())["loss"].backward()
    kinds = {"convolution": 0.0, "product": 0.0}
    for operation, count in counter.get_flop_counts()["Global"].items():
        kinds["convolution" if "convolution" in str(operation) else "product"] += count / batch
    return kinds


def _ours(config):
    return MODELS[config.model_type].model_class()(config.model, config.dots)
