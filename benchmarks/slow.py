"""The straightforward form as a user would run it: what the package is measured against.

Each function builds what it needs and returns the call to be timed. Models, frames, optimiser and
probe are the slow references of the tests; the trajectories come from the same stored data set.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from slow_features.data.batch import TimeMajorBatch
from slow_features.data.noise import NoiseSetting
from tests.reference.slow_data import straightforward_batch
from tests.reference.slow_jepa import SLOW_MODELS
from tests.reference.slow_optim import SlowLARS
from tests.reference.slow_probe import slow_evaluation, slow_probe_epoch
from tests.reference.slow_rssm import SlowRSSM

PROBE_RATE = 1e-3


def loader(config, dataset, split, batch_size):
    """Return index -> TimeMajorBatch; the index wraps around at the end of the split."""
    noise, sigma = NoiseSetting.from_config(config), config.dataset_dot_std
    statistics = dataset.statistics(noise)
    generator = torch.Generator().manual_seed(0)
    whole = dataset.spec.sizes[split] // batch_size

    def load(index):
        first = index % whole * batch_size
        locations, actions = map(
            torch.from_numpy, dataset.sequences(split, first, first + batch_size)
        )
        frames = straightforward_batch(
            locations,
            sigma,
            noise.fixed,
            noise.changing,
            statistics.mean,
            statistics.std,
            generator,
        )
        unit = (locations - 2 * sigma) / (27 - 4 * sigma)
        return TimeMajorBatch(
            states=frames.transpose(0, 1),
            locations=((unit - 0.5) / math.sqrt(1 / 12)).transpose(0, 1),
            actions=(actions[:, :, 0] / (0.4102 * 4)).transpose(0, 1),
        )

    return load


def build(config):
    """Return the model in its slow form, with its initial weights."""
    torch.manual_seed(config.seed)
    kind = SlowRSSM if config.model_type == "RSSM" else SLOW_MODELS[config.model_type]
    return kind(config.model, config.dots)


def training_step(config, dataset):
    """Return a call that does one update: batch, losses, gradients, optimiser."""
    model = build(config).train()
    load = loader(config, dataset, "train", config.batch_size)
    optimizer, clip = _optimizer(config, model)
    state = {"step": 0}

    def step():
        batch = load(state["step"])
        loss = model.losses(batch, torch.Generator().manual_seed(state["step"]))["loss"]
        optimizer.zero_grad()
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        state["step"] += 1

    return step


def _optimizer(config, model):
    section = config.model
    if config.model_type == "RSSM":
        return torch.optim.Adam(model.parameters(), lr=section.learning_rate, eps=1e-8), 1000.0
    if config.model_type == "Supervised":
        return torch.optim.Adam(model.parameters(), lr=section.lr), None
    return SlowLARS(model.parameters(), lr=section.base_lr * config.batch_size / 256), None


def batch(config, dataset):
    """Return a call that makes one training batch."""
    load = loader(config, dataset, "train", config.batch_size)
    return lambda: load(0)


def probe_epoch(config, dataset, kind, batches):
    """Return a call that trains the published probe `kind` ("pred", "enc") on some batches."""
    arguments = _probe_parts(config, dataset, "probe")
    probe = nn.Linear(config.model.state_size, 2, bias=False)
    adam = torch.optim.Adam(probe.parameters(), lr=PROBE_RATE)
    return lambda: slow_probe_epoch(*arguments, probe, adam, batches, kind)


def probe_measurement(config, dataset, kind, batches):
    """Return a call that measures a probe on some batches of the evaluation split."""
    arguments = _probe_parts(config, dataset, "evaluation")
    probe = nn.Linear(config.model.state_size, 2, bias=False)
    return lambda: slow_evaluation(*arguments, probe, batches, kind)


def _probe_parts(config, dataset, split):
    """Return what the slow probe takes: how to render, to encode, and to take one step."""
    model = build(config).eval()

    def predict(state, action):
        return model.gru(action[None], state[None])[0][0]

    return loader(config, dataset, split, config.batch_size), model.encoder, predict
