"""The package as training and evaluation run it; each function returns the call to be timed."""

from __future__ import annotations

from functools import partial

from torch import nn

from benchmarks.rounding import EmulatedProducts
from slow_features.data.noise import NoiseSetting
from slow_features.data.stream import BatchStream
from slow_features.probe.evaluate import evaluate
from slow_features.training.loop import train_step
from slow_features.training.session import start_session


def training_step(config, dataset):
    """Return a call that does one update: batch, losses, gradients, optimiser."""
    return _updates(start_session(config, dataset))


def compiled_training_step(config, dataset):
    """Return the same call, its encoder compiled by torch.compile at the first update."""
    session = start_session(config, dataset)
    session.model.encoder.compile()
    return _updates(session)


def rounded_training_step(config, dataset):
    """Return the same call, the encoder's last layer in bfloat16 as all other products."""
    session = start_session(config, dataset)
    layer = session.model.encoder.linear
    layer.forward = partial(nn.Linear.forward, layer)
    return _updates(session)


def emulated_training_step(config, dataset):
    """Return the same call, products of bfloat16 computed as benchmarks/rounding.py does."""
    step = training_step(config, dataset)

    def emulated():
        with EmulatedProducts():
            step()

    return emulated


def _updates(session):
    session.model.train()
    state = {"step": 0}

    def step():
        train_step(session, state["step"] % len(session.stream))
        state["step"] += 1

    return step


def batch(config, dataset):
    """Return a call that makes one training batch."""
    stream = _train_stream(config, dataset)
    return lambda: stream.batch(0)


def first_frames(config, dataset):
    """Return a call that makes one batch of which only frame 0 is drawn, as for the probe."""
    stream = _train_stream(config, dataset)
    return lambda: stream.first_frames(0)


def evaluation(config, dataset):
    """Return a call that does one whole evaluation: both probes fitted, both measured."""
    session = start_session(config, dataset)
    return lambda: evaluate(session.model, config, dataset, session.device)


def _train_stream(config, dataset):
    noise = NoiseSetting.from_config(config)
    return BatchStream(dataset, "train", noise, config.batch_size)
