"""How fast this machine trains: from what it has trained already, else from a few steps."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from slow_features import paths
from slow_features.config.load import validate
from slow_features.config.schema import Experiment
from slow_features.errors import InputError
from slow_features.models.registry import section_name
from slow_features.provenance import provenance
from slow_features.results.files import TRAIN, Place, read_run, read_summary

if TYPE_CHECKING:
    from slow_features.data.store import StoredDataset

Kind = tuple[Any, ...]  # what decides the speed of a training
_TIMED_BATCH, _TIMED_SECONDS = 64, 1.0
_TIMED_BATCHES = 4  # of different sequences, again and again
_EVALUATED = 500
# What reading a result of an older version, or a damaged one, may raise.
_NO_SPEED = (InputError, KeyError, AttributeError, TypeError)


def kind_of(settings: Mapping[str, Any], device: str, arithmetic: str | None) -> Kind:
    """Return what decides how long a training takes for a sequence, its batch and rates aside.

    settings: those of the weights. A coefficient counts by whether its term is there at all.
    arithmetic: what `precision` came to, since processors of one name differ in what they have.
    """
    section = settings[section_name(settings["model_type"])]
    sizes = {key: bool(v) if isinstance(v, float) else v for key, v in section.items()}
    without = {"epochs", "batch_size"}
    return (
        *(settings[key] for key in ("model_type", "threads", "n_steps")),
        device,
        arithmetic,
        *sorted((key, size) for key, size in sizes.items() if key not in without),
    )


def known_speeds() -> dict[Kind, float]:
    """Return the sequences per second of every kind that has been trained on such a processor.

    Those of this machine's store; where it has none of a kind, those that git records. The median,
    since a machine may have been busy.
    """
    return _medians(_recorded()) | _medians(_stored())


def _medians(places: Iterator[Place]) -> dict[Kind, float]:
    cpu, found = provenance().machine["cpu"], defaultdict(list)
    for place in places:
        try:
            summary, run = read_summary(place.train), read_run(place.run)
            kind = kind_of(summary.settings, run.device, run.arithmetic)
        except _NO_SPEED:
            continue
        if run.machine.get("cpu") == cpu and summary.steps:
            found[kind].append(run.sequences_per_second)
    return {kind: median(speeds) for kind, speeds in found.items()}


def _stored() -> Iterator[Place]:
    for train in paths.cells().glob(f"*/{TRAIN}"):
        yield Place.below(train.parent)


def _recorded() -> Iterator[Place]:
    runs = paths.RESULTS / "runs"
    for run in runs.rglob("*.json"):
        yield Place.recorded(PurePath(run.relative_to(runs).with_suffix("")))


def time_steps(config: Experiment) -> float:
    """Return the sequences per second of a few training steps, at most 64 sequences each.

    Takes a second and what it takes to begin; leaves nothing. Raises as `start_session`.
    """
    from slow_features.training.loop import train_step
    from slow_features.training.session import start_session

    with _few_sequences(config) as (small, dataset):
        session = start_session(small, dataset)
        session.model.train()
        train_step(session, 0)["loss"].item()  # the first one is slow
        started, steps = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - started) < _TIMED_SECONDS:
            train_step(session, steps % session.total_steps)["loss"].item()
            steps += 1
    return steps * small.batch_size / elapsed


def time_evaluation(config: Experiment) -> float:
    """Return the sequences per second that a probe is fitted on and measured on."""
    from slow_features.probe.evaluate import evaluate
    from slow_features.training.machine import prepare_machine
    from slow_features.training.session import build_model

    with _few_sequences(config) as (small, dataset):
        device = prepare_machine(small)
        model = build_model(small, device)
        started = time.perf_counter()
        evaluate(model, small, dataset, device)
        elapsed = time.perf_counter() - started
    return 2 * small.val_dataset_size / elapsed


@contextmanager
def _few_sequences(config: Experiment) -> Iterator[tuple[Experiment, StoredDataset]]:
    """Yield the same settings for a few sequences, and their data set for a while.

    The noise is of uniform pixels: images take longer to load than steps to time.
    """
    from slow_features.data.cache import dataset_spec
    from slow_features.data.noise import NoiseSetting
    from slow_features.data.store import open_dataset, write_dataset

    settings, batch = config.model_dump(), min(config.batch_size, _TIMED_BATCH)
    short = {"epochs": 1, "batch_size": batch}
    section = settings[section_name(config.model_type)]
    section |= {key: value for key, value in short.items() if key in section}
    small = validate(
        settings
        | {
            "dataset_batch_size": batch,
            "dataset_size": _TIMED_BATCHES * batch,
            "val_dataset_size": _EVALUATED,
            "probing_cfg": {"sequences": _EVALUATED},
            "dataset_structured_noise": False,
        }
    )
    with TemporaryDirectory() as folder:
        noise = NoiseSetting.from_config(small)
        write_dataset(dataset_spec(small), [noise], folder, small.model.channels)
        yield small, open_dataset(folder)
