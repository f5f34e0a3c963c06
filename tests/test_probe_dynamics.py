"""How states move in time, against the definitions written out in loops."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
import torch

from slow_features.config.schema import Experiment
from slow_features.data.manifest import DatasetSpec
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import open_dataset, write_dataset
from slow_features.data.stream import BatchStream
from slow_features.probe.dynamics import measure_dynamics
from slow_features.training.session import build_model

FIXED = NoiseSetting(fixed=1.25)


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dynamics") / "data"
    sizes = {"train": 32, "probe": 1, "evaluation": 6}
    write_dataset(DatasetSpec("Single", 1.3, 5, 5, 1, sizes), [FIXED], folder)
    return BatchStream(open_dataset(folder), "evaluation", FIXED, 6)


def model_of(model_type):
    small = {"embedding_size": 8, "backbone_width_factor": 1}
    config = Experiment(model_type=model_type, **{model_type.lower(): small})
    return build_model(config, torch.device("cpu"))


def slow_dynamics(encodings, states):
    """The definitions, one number after the other; both are [T][B][D]."""
    steps, batch, size = encodings.shape

    def mean(values):
        values = [float(v) for v in values]
        return sum(values) / len(values)

    def variance(values):
        values = [float(v) for v in values]
        centre = mean(values)
        return mean((v - centre) ** 2 for v in values)

    later = list(itertools.product(range(1, steps), range(batch), range(size)))
    over_sequences = [variance(encodings[t, :, d]) for t in range(steps) for d in range(size)]
    within = [mean(variance(encodings[:, b, d]) for b in range(batch)) for d in range(size)]
    total = [variance(encodings[:, :, d].flatten()) for d in range(size)]
    return {
        "encoding_variance": mean(over_sequences),
        "variance_over_time": sum(within) / sum(total),
        "copy_mse": mean((encodings[t, b, d] - encodings[0, b, d]) ** 2 for t, b, d in later),
        "prediction_mse": mean((encodings[t, b, d] - states[t, b, d]) ** 2 for t, b, d in later),
    }


@pytest.mark.parametrize("model_type", ["VICReg", "SimCLR"])
def test_it_is_what_the_definitions_say(stream, model_type):
    model = model_of(model_type).eval()
    batch = stream.batch(0).time_major()
    with torch.no_grad():
        encodings = model.encode(batch.states).double()
        states = model.rollout(batch.states[:1], batch.actions, torch.Generator()).double()
    measured = measure_dynamics(model, stream, seed=1)
    assert measured == pytest.approx(slow_dynamics(encodings, states), rel=1e-4)


class Constant(torch.nn.Module):
    """Encodes a sequence by its noise alone: by one pixel far from the dot's usual place."""

    def __init__(self, of_time):
        super().__init__()
        self.of_time, self.step = of_time, 0

    def forward(self, frames):
        self.step += 1
        value = torch.arange(len(frames)).float()
        value = value * 0 + self.step if self.of_time else value
        return value[:, None].expand(-1, 8)


@pytest.mark.parametrize(("of_time", "share"), [(False, 0.0), (True, 1.0)])
def test_the_share_over_time_is_0_for_constant_sequences_and_1_for_equal_ones(
    stream, of_time, share
):
    model = model_of("Random")
    model.encoder = Constant(of_time)
    measured = measure_dynamics(model, stream, seed=1)
    assert measured["variance_over_time"] == pytest.approx(share, abs=1e-12)
    assert (measured["copy_mse"] == 0) == (not of_time)
    assert (measured["encoding_variance"] == 0) == of_time


def test_an_encoder_that_answers_one_constant_has_no_variance_and_no_division_by_zero(stream):
    model = model_of("VICReg")
    model.encode = lambda frames: torch.ones(*frames.shape[:-3], 8)
    measured = measure_dynamics(model, stream, seed=1)
    assert measured["variance_over_time"] == measured["copy_mse"] == 0


@pytest.mark.parametrize("model_type", ["RSSM", "Supervised", "Random"])
def test_prediction_is_left_out_where_states_do_not_predict_encodings(stream, model_type):
    measured = measure_dynamics(model_of(model_type), stream, seed=1)
    assert set(measured) == {"encoding_variance", "variance_over_time", "copy_mse"}


def test_the_model_is_left_as_it_was(stream):
    model = model_of("VICReg").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure_dynamics(model, stream, seed=1)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_at_most_512_sequences_are_read():
    """More are cut off, so the cost does not grow with the batch."""
    seen = []

    def encode(frames):
        seen.append(len(frames))
        return torch.zeros(len(frames), 8)

    batch = SimpleNamespace(states=torch.zeros(3, 600, 1, 1, 1))
    stream = SimpleNamespace(batch=lambda _: SimpleNamespace(time_major=lambda: batch))
    model = SimpleNamespace(
        encode=encode, training=False, eval=lambda: None, train=lambda mode: None
    )
    measure_dynamics(model, stream, seed=1)
    assert seen == [512] * 3
