"""Whether states still tell sequences apart, or have become (almost) one constant."""

from __future__ import annotations

import math

from torch import Tensor

COLLAPSED_BELOW = 1e-3  # spread under which states count as collapsed


class Spread:
    """The states' standard deviation relative to their size, over all states added.

    spread = sqrt(E|x - E x|^2 / E|x|^2) is 0 for a constant and about 1 for centred states.
    """

    def __init__(self) -> None:
        self._sum: Tensor | float = 0.0
        self._squares: Tensor | float = 0.0
        self._count = 0

    def add(self, states: Tensor) -> None:
        """Add states [T, B, D], float64."""
        self._sum = self._sum + states.sum((0, 1))
        self._squares = self._squares + states.flatten().dot(states.flatten())
        self._count += states.shape[0] * states.shape[1]

    def value(self) -> float:
        """Return the spread; 0 for states that are 0 everywhere."""
        size = float(self._squares) / self._count
        mean = float((self._sum / self._count).square().sum())
        return math.sqrt(max(0.0, size - mean) / size) if size > 0 else 0.0
