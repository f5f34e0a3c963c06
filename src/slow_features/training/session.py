"""Everything that a training step needs, built from the settings alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from slow_features.config.schema import Experiment
from slow_features.data.batch import TimeMajorBatch
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import StoredDataset
from slow_features.data.stream import BatchStream
from slow_features.models.base import Optimisation, WorldModel
from slow_features.models.registry import MODELS
from slow_features.training.machine import prepare_machine, product_dtype


@dataclass(frozen=True)
class Session:
    """A model on its device with its optimiser and its training batches."""

    config: Experiment
    device: torch.device
    model: WorldModel
    optimisation: Optimisation | None
    stream: BatchStream

    @property
    def total_steps(self) -> int:
        """Updates in the whole training; 0 where nothing is trained."""
        if not MODELS[self.config.model_type].trains or self.config.eval_only:
            return 0
        return self.config.steps_per_epoch * self.config.model.epochs

    @property
    def data_checksum(self) -> str:
        """Checksum of the training data under the noise of the settings."""
        return self.stream.dataset.checksum_for(self.stream.noise)

    def batch(self, step: int) -> TimeMajorBatch:
        """Return the batch of update number `step`; no sequence comes twice."""
        return self.stream.batch(step).time_major()

    def generator(self, step: int) -> torch.Generator:
        """Return the randomness of update number `step`: a function of seed and step alone."""
        return seeded_generator(self.device, self.config.seed, step)


def start_session(config: Experiment, dataset: StoredDataset) -> Session:
    """Build model, optimiser and batches. Raises InputError or MachineError before any work."""
    device = prepare_machine(config)
    model = build_model(config, device)
    optimisation = (
        model.optimisation(config.batch_size, config.steps_per_epoch, config.model.epochs)
        if MODELS[config.model_type].trains
        else None  # nothing to optimise: total_steps is 0
    )
    stream = BatchStream(
        dataset,
        "train",
        NoiseSetting.from_config(config),
        config.batch_size,
        device,
        config.model.channels,
        config.dataset_normalize,
    )
    return Session(config, device, model, optimisation, stream)


def build_model(config: Experiment, device: torch.device) -> WorldModel:
    """Build the model of the settings with its initial weights, a function of the seed alone.

    The published code seeds after it has built the model; here the seed comes first, so that
    the same settings give the same weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = MODELS[config.model_type].model_class()(config.model, dots=config.dots)
    model.autocast_dtype = product_dtype(config.precision, device)
    return model.to(device)


def weights_moved(model: WorldModel, initial: WorldModel) -> dict[str, float]:
    """Return |w - w0| / |w0| of each part of the model: how far training has moved it.

    model, initial: the same architecture. Parts are the model's direct children.
    """
    moved = {}
    for (part, now), (_, then) in zip(
        model.named_children(), initial.named_children(), strict=True
    ):
        pairs = list(zip(now.parameters(), then.parameters(), strict=True))
        if pairs:
            distance = sum((a - b).square().sum().item() for a, b in pairs) ** 0.5
            size = sum(b.square().sum().item() for _, b in pairs) ** 0.5
            moved[part] = float(f"{distance / max(size, 1e-12):.6g}")
    return moved


def seeded_generator(device: torch.device, seed: int, counter: int) -> torch.Generator:
    """Return a generator that depends on (seed, counter) alone."""
    return torch.Generator(device).manual_seed((seed << 32) + counter)
