"""Predictors: from the encoding of the first frame and the actions to all later encodings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from slow_features.config.sections import ModelSection
from slow_features.errors import InputError
from slow_features.models.gru import GRU
from slow_features.models.mlp import layer_sizes, mlp


class Predictor(nn.Module):
    """Predicts the encodings of frames 1 .. T - 1; subclasses say how a state moves on."""

    def forward(self, encodings: Tensor, actions: Tensor) -> Tensor:
        """Predict from true encodings [R, B, D] and actions [T - 1, B, A] -> [T - 1, B, D].

        R is the burn-in, 1 as published: the state is set to the true encoding of each frame
        t < R, so that frames 1 .. R - 1 are predicted one step ahead; from frame R - 1 on the
        predictor runs freely on its own states.
        """
        burnin = len(encodings) - 1
        free = self.unroll(encodings[-1], actions[burnin:])
        if burnin == 0:
            return free
        # One-step predictions do not depend on each other: all of them are one large batch.
        one_step = self.unroll(
            encodings[:-1].flatten(0, 1), actions[:burnin].flatten(0, 1).unsqueeze(0)
        )
        return torch.cat([one_step.view_as(encodings[:-1]), free])

    def unroll(self, state: Tensor, actions: Tensor) -> Tensor:
        """Move a state [B, D] on by each of the actions [T, B, A] -> states [T, B, D]."""
        raise NotImplementedError


class RNNPredictor(Predictor):
    """A GRU on the actions; every layer starts in the given state (paper, section 3)."""

    def __init__(self, embedding_size: int, action_dim: int, layers: int) -> None:
        super().__init__()
        self.gru = GRU(action_dim, embedding_size, layers)

    def unroll(self, state: Tensor, actions: Tensor) -> Tensor:
        """Return the top layer's states [T, B, D]."""
        return self.gru(actions, state)


class MLPPredictor(Predictor):
    """An MLP from (state, action) to the next state, applied step by step."""

    def __init__(self, sizes: list[int], embedding_size: int, action_dim: int) -> None:
        super().__init__()
        self.mlp = mlp([embedding_size + action_dim, *sizes[1:]])

    def unroll(self, state: Tensor, actions: Tensor) -> Tensor:
        """Return the states [T, B, D]."""
        states = []
        for action in actions:
            state = self.mlp(torch.cat([state, action], dim=1))
            states.append(state)
        return torch.stack(states)


class IdentityPredictor(Predictor):
    """Predicts that nothing changes: the last known state, whatever the actions."""

    def unroll(self, state: Tensor, actions: Tensor) -> Tensor:
        """Return the state T times, [T, B, D]."""
        return state.expand(len(actions), *state.shape)


def build_predictor(section: ModelSection) -> Predictor:
    """Build the predictor that `section.predictor` names: 'rnn', 'id' or MLP layer sizes.

    The first size of an MLP is always D + action_dim, whatever is written (published files say
    515 for D = 512). Raises InputError if there are fewer than two sizes or the last is not D.
    """
    if section.predictor == "rnn":
        return RNNPredictor(section.embedding_size, section.action_dim, section.rnn_layers)
    if section.predictor == "id":
        return IdentityPredictor()
    sizes = layer_sizes(section.predictor)
    if len(sizes) < 2 or sizes[-1] != section.embedding_size:
        raise InputError(
            f"predictor = {section.predictor}: allowed: rnn, id, or at least two layer sizes "
            f"of which the last is embedding_size = {section.embedding_size}"
        )
    return MLPPredictor(sizes, section.embedding_size, section.action_dim)
