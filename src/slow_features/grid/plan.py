"""What a part of the grid would take on this machine: cells, sequences, time, disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from slow_features.config.schema import Experiment
from slow_features.data.cache import bytes_to_write
from slow_features.grid.cells import Cell
from slow_features.grid.run import data_groups, stored
from slow_features.grid.speed import Kind, kind_of, known_speeds, time_evaluation, time_steps
from slow_features.identity import settings_of_weights
from slow_features.models.registry import MODELS
from slow_features.provenance import cores, provenance
from slow_features.results.files import TRAIN
from slow_features.results.gathered import gathered_file
from slow_features.results.record import is_recorded

_COUNTS = ["cells", "in git", "here", "to run", "sequences", "seconds", "disk"]


@dataclass
class Pace:
    """How long trainings and evaluations take here, and how large weights are.

    known: sequences per second of each kind of training. timed: the model types that had to be
    timed, since no training of their size is known.
    """

    known: dict[Kind, float] = field(default_factory=known_speeds)
    timed: dict[str, int] = field(default_factory=dict)
    _evaluated_per_second: float | None = None
    _bytes: dict[Kind, int] = field(default_factory=dict)

    def training(self, config: Experiment) -> float:
        """Return the seconds of a training."""
        sequences = sequences_of(config)
        if not sequences:
            return 0.0
        kind = kind_here(config)
        if kind not in self.known:
            self.known[kind] = time_steps(config)
            self.timed[config.model_type] = self.timed.get(config.model_type, 0) + 1
        return sequences / self.known[kind]

    def evaluation(self, config: Experiment, adam_probe: bool) -> float:
        """Return the seconds of an evaluation, from one that is timed for all models alike."""
        probe, measured = config.probing_cfg, config.val_dataset_size
        adam = max(probe.epochs, probe.epochs_enc) * measured + measured
        closed_form = probe.sequences + measured if probe.solver == "closed_form" else adam
        if self._evaluated_per_second is None:
            self._evaluated_per_second = time_evaluation(config)
        return (closed_form + adam_probe * adam) / self._evaluated_per_second

    def weights(self, config: Experiment) -> int:
        """Return the bytes of a model's weights."""
        import torch

        kind = kind_here(config)
        if kind not in self._bytes:
            with torch.device("meta"):
                model = MODELS[config.model_type].model_class()(config.model, dots=config.dots)
            self._bytes[kind] = sum(tensor.nbytes for tensor in model.state_dict().values())
        return self._bytes[kind]


def sequences_of(config: Experiment) -> int:
    """Return how many sequences a training sees."""
    if not MODELS[config.model_type].trains:
        return 0
    return config.steps_per_epoch * config.batch_size * config.model.epochs


def kind_here(config: Experiment) -> Kind:
    """Return what decides the speed of a training on this machine."""
    from slow_features.training.machine import choose_device, product_dtype

    device = choose_device(config.device)
    arithmetic = "bfloat16" if product_dtype(config.precision, device) else "float32"
    return kind_of(settings_of_weights(config), str(device), arithmetic)


def plan(cells: Sequence[Cell], pace: Pace | None = None, at_once: int | None = None) -> str:
    """Return the plan as a table for a terminal, with what its numbers are made of.

    A line for each scale, and below it one for each model type. Raises as `time_steps`.
    """
    pace, at_once = pace or Pace(), at_once or cores()
    table = count(cells, pace)
    rows = []
    for scale, of_scale in table.groupby("scale", sort=False):
        asked = [cell for cell in cells if cell.scale == scale]
        rows.append(_line(scale, of_scale, at_once, _data_bytes(asked)))
        for model, of_model in of_scale.groupby("model", sort=False):
            rows.append(_line(f"  {model}", of_model, at_once))
    shown = pd.DataFrame(rows)
    names = shown.pop("").str.ljust(16)
    shown.index = pd.Index(names)
    return f"{shown.to_string()}\n{_origin(pace, at_once)}"


def count(cells: Sequence[Cell], pace: Pace) -> pd.DataFrame:
    """Return a row for each cell: its scale and model, and what it counts for in every sum.

    seconds: of its training and evaluation on one core; disk: bytes of its weights.
    """
    return pd.DataFrame(
        [{"scale": cell.scale, "model": cell.model_type, **_counts(cell, pace)} for cell in cells],
        columns=["scale", "model", *_COUNTS],
    )


def _counts(cell: Cell, pace: Pace) -> dict[str, float]:
    store, config = stored(cell), cell.config
    pulled = gathered_file(cell.path).is_file() and is_recorded(cell.path, store, TRAIN)
    trains, runs = not (store.trained or pulled), not store.finished
    seconds = pace.training(config) if trains else 0.0
    seconds += pace.evaluation(config, cell.adam_probe) if runs else 0.0
    numbers = (
        1,
        is_recorded(cell.path, store),
        not runs,
        runs,
        sequences_of(config) if trains else 0,
        seconds,
        pace.weights(config) if trains else 0,
    )
    return dict(zip(_COUNTS, map(float, numbers), strict=True))


def _data_bytes(cells: Sequence[Cell]) -> int:
    left = [cell for cell in cells if not stored(cell).finished]
    return sum(bytes_to_write(*configs) for configs in data_groups(left))


def _line(name: str, rows: pd.DataFrame, at_once: int, data: int = 0) -> dict[str, Any]:
    total = rows[_COUNTS].sum()
    longest = rows["seconds"].max()  # no number of cores makes it shorter
    return {
        "": name,
        **{column: f"{total[column]:.0f}" for column in _COUNTS[:4]},
        "million sequences": f"{total['sequences'] / 1e6:.2f}",
        "minutes": f"{max(total['seconds'] / at_once, longest) / 60:,.0f}",
        "MB": f"{(total['disk'] + data) / 1e6:,.0f}",
    }


def _origin(pace: Pace, at_once: int) -> str:
    timed = [f"{model} ({n} sizes)" if n > 1 else model for model, n in pace.timed.items()]
    known = f"trainings on this kind of processor ({provenance().machine['cpu']})"
    return "\n".join(
        [
            f"minutes: {at_once} cells at once, each with its evaluation, at the speed of {known}",
            *([f"  timed just now, for want of such a training: {', '.join(timed)}"] * bool(timed)),
            "MB: weights, and data sets that are not there yet",
        ]
    )
