"""The best linear probe, by least squares: one pass over the data, no learning rate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from slow_features.errors import TrainingError
from slow_features.probe.features import READS, States, as_float64
from slow_features.probe.linear import LinearProbe, Probes

# Directions whose eigenvalue of X'X is below RCOND times the largest count as not there. Sums of
# D = 512 products in float64 are good to about 1e-13 of the largest, states in float32 to less.
RCOND = 1e-12
_LATER = slice(1, None)  # the steps that "pred" reads and "enc" does not


def fit_closed_form(batches: Iterable[States]) -> Probes:
    """Fit both probes on all sequences of all batches; memory does not grow with their number.

    Minimises what the published probe descends: the squared distance summed over x and y, mean
    over steps, sequences and dots. "pred" reads every step, "enc" step 0 alone, so the sums of
    "pred" are those of "enc" plus the later steps'. Raises TrainingError for states that are not
    finite.
    """
    sums: list[NormalEquations] = []
    sequences = 0
    for batch in batches:
        parts = [NormalEquations.of(batch.steps(chosen)) for chosen in (READS["enc"], _LATER)]
        sums = [old + new for old, new in zip(sums, parts, strict=True)] if sums else parts
        sequences += batch.states.shape[1]
    enc, later = sums
    return Probes(pred=(enc + later).probe(sequences), enc=enc.probe(sequences))


@dataclass(frozen=True)
class NormalEquations:
    """The sums over states x [D] and locations y [K] that determine least squares, in float64.

    gram: [D, D], the sum of x x'. moment: [K, D], the sum of y x', K = 2 * dots.
    """

    gram: Tensor
    moment: Tensor

    @classmethod
    def of(cls, batch: States) -> NormalEquations:
        """Sum over every step of every sequence of a batch."""
        x = as_float64(batch.states).flatten(0, 1)
        y = as_float64(batch.locations).flatten(0, 1).flatten(1)
        return cls(_gram(x), y.T @ x)

    def __add__(self, other: NormalEquations) -> NormalEquations:
        return NormalEquations(self.gram + other.gram, self.moment + other.moment)

    def solve(self) -> tuple[Tensor, int]:
        """Return the least-squares weight of smallest norm, [K, D], and the rank of X'X.

        With X'X = V diag(l) V' the weight is Y'X V diag(1/l) V' over the directions with
        l > RCOND * max(l); the rank is their number. States that are 0 everywhere give 0 and 0.
        """
        if not (self.gram.isfinite().all() and self.moment.isfinite().all()):
            raise TrainingError("the model's states are not finite: there is nothing to probe")
        eigenvalues, vectors = torch.linalg.eigh(self.gram)
        kept = eigenvalues > RCOND * eigenvalues[-1]
        basis = vectors[:, kept]
        weight = (self.moment @ basis / eigenvalues[kept]) @ basis.T
        return weight, int(kept.sum())

    def probe(self, sequences: int) -> LinearProbe:
        """Return the solution as a probe that was fitted on so many sequences."""
        weight, rank = self.solve()
        return LinearProbe(weight, "closed_form", sequences, rank)


def _gram(x: Tensor) -> Tensor:
    """Return X'X, [D, D], of rows x [N, D] in float64.

    Exact: NumPy sees that both factors are one matrix and hands BLAS a symmetric product, which
    computes one triangle and mirrors it: half of the multiplications. PyTorch computes both, so
    it is left to the devices that NumPy cannot reach.
    """
    if x.device.type != "cpu":
        return x.T @ x
    rows = x.numpy()
    return torch.from_numpy(rows.T @ rows)
