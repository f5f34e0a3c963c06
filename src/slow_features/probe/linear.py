"""The probe: one linear layer without bias from a state to the dots' locations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # who reads results alone does not wait for torch
    from torch import Tensor

Solver = Literal["closed_form", "adam", "own"]


@dataclass(frozen=True)
class LinearProbe:
    """A fitted probe.

    weight: [dots * 2, D], as in nn.Linear.
    solver: how it was fitted; "own": trained with the model (Supervised).
    sequences: how many it was fitted on; 0 for a model's own probe.
    rank: independent directions in the states that it was fitted on; only the closed form knows.
    """

    weight: Tensor
    solver: Solver
    sequences: int
    rank: int | None = None

    def decode(self, states: Tensor) -> Tensor:
        """Read locations [..., dots, 2] off states [..., D], in the units of the fit.

        In the type of the states: in float64 (`as_float64`), states that hardly differ are not
        lost in the rounding of the product.
        """
        return (states @ self.weight.to(states).T).unflatten(-1, (-1, 2))


@dataclass(frozen=True)
class Probes:
    """The two probes of the paper: on rollouts and on the encoding of frame 0."""

    pred: LinearProbe
    enc: LinearProbe
