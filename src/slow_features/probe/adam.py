"""The published probe: the same linear layer, descended by Adam on fresh sequences."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from slow_features.probe.features import READS, States
from slow_features.probe.linear import LinearProbe, Probes


def fit_adam(
    batches: Iterable[States], lr: float, steps_pred: int, steps_enc: int, seed: int
) -> Probes:
    """Fit both probes with Adam, one update each per batch, each batch used once.

    "pred" takes the first `steps_pred` batches and "enc" the first `steps_enc`; published: 30
    epochs of 10,000 fresh sequences. The two share batches and nothing else. The initial weights
    are those of nn.Linear, drawn from `seed`. `batches` must hold as many as the longer needs.
    """
    steps = {"pred": steps_pred, "enc": steps_enc}
    learners: dict[str, AdamProbe] = {}
    for index, batch in enumerate(batches):
        for name in steps:
            if index == 0:
                learners[name] = AdamProbe(batch, lr, seed)
            if index < steps[name]:
                learners[name].update(batch.steps(READS[name]))
    return Probes(pred=learners["pred"].probe(), enc=learners["enc"].probe())


class AdamProbe:
    """One probe in training: its layer, its optimiser and how many sequences it has seen."""

    def __init__(self, like: States, lr: float, seed: int) -> None:
        outputs, features = 2 * like.locations.shape[2], like.states.shape[2]
        self.layer = nn.Parameter(_initial_weight(outputs, features, seed).to(like.states.device))
        self.optimizer = torch.optim.Adam([self.layer], lr=lr)
        self.sequences = 0

    def update(self, batch: States) -> None:
        """Take one step on a batch: [T, B, D] states against [T, B, dots, 2] locations."""
        decoded = batch.states @ self.layer.T
        distance = (decoded.unflatten(-1, (-1, 2)) - batch.locations).square().sum(-1)
        self.optimizer.zero_grad()
        distance.mean().backward()
        self.optimizer.step()
        self.sequences += batch.states.shape[1]

    def probe(self) -> LinearProbe:
        """Return the probe as it stands."""
        return LinearProbe(self.layer.detach(), "adam", self.sequences)


def _initial_weight(outputs: int, features: int, seed: int) -> Tensor:
    """Draw nn.Linear's initial weight, uniform in +-1/sqrt(features), from a seed alone."""
    bound = 1 / math.sqrt(features)
    generator = torch.Generator().manual_seed(seed)
    return torch.empty(outputs, features).uniform_(-bound, bound, generator=generator)
