"""Measuring fitted probes on sequences that they have not seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor

from slow_features.data.geometry import DOTS, unnormalise_locations
from slow_features.probe.collapse import COLLAPSED_BELOW, Spread
from slow_features.probe.features import READS, States, as_float64
from slow_features.probe.linear import LinearProbe, Probes
from slow_features.probe.metrics import SquaredDistance, centre_like, error_table
from slow_features.probe.result import Errors, Paths, ProbeErrors

EXAMPLES = 8  # evaluation sequences whose paths are kept


class Units(NamedTuple):
    """The units in which locations come: normalised, or px."""

    dot_std: float
    normalised: bool

    def to_px(self, locations: Tensor) -> Tensor:
        """Return locations [..., 2] in px, float64."""
        exact = as_float64(locations)
        return unnormalise_locations(exact, self.dot_std) if self.normalised else exact


class Measurement(NamedTuple):
    """What was measured: errors of both probes and of the centre, and a few paths."""

    pred: ProbeErrors
    enc: ProbeErrors
    centre: Errors
    sequences: int
    paths: Paths


def measure(probes: Probes, batches: Iterable[States], units: Units) -> Measurement:
    """Decode every state of the batches and compare it with the true locations, in px."""
    pred, enc, centre = _Meter(probes.pred), _Meter(probes.enc), SquaredDistance()
    paths = None
    for batch in batches:
        true, states = units.to_px(batch.locations), as_float64(batch.states)
        decoded = pred.add(states, true, units)
        enc.add(states[READS["enc"]], true[READS["enc"]], units)
        centre.add(centre_like(true), true)
        paths = paths or _paths(true, decoded)
    dots = DOTS[: true.shape[2]]
    return Measurement(
        pred.errors(dots),
        enc.errors(dots),
        Errors(**error_table(centre.mean(), dots)),
        centre.sequences,
        paths,
    )


class _Meter:
    """One probe under measurement: its distances so far and the spread of what it read."""

    def __init__(self, probe: LinearProbe) -> None:
        self.probe = probe
        self.distance = SquaredDistance()
        self.spread = Spread()

    def add(self, states: Tensor, true_px: Tensor, units: Units) -> Tensor:
        """Measure states [T, B, D] against locations [T, B, dots, 2]; return what was decoded."""
        decoded = units.to_px(self.probe.decode(states))
        self.distance.add(decoded, true_px)
        self.spread.add(states)
        return decoded

    def errors(self, dots: tuple[str, ...]) -> ProbeErrors:
        spread = self.spread.value()
        return ProbeErrors(
            **error_table(self.distance.mean(), dots),
            solver=self.probe.solver,
            fitted_on=self.probe.sequences,
            rank=self.probe.rank,
            spread=spread,
            collapsed=spread < COLLAPSED_BELOW,
        )


def _paths(true: Tensor, decoded: Tensor) -> Paths:
    """Keep the first sequences of a batch, both [T, B, dots, 2] in px."""
    first = [tensor[:, :EXAMPLES].transpose(0, 1).tolist() for tensor in (true, decoded)]
    return Paths(dots=list(DOTS[: true.shape[2]]), true=first[0], decoded=first[1])
