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
STEPS = 5


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

    def unit(vector):
        return vector / sum(float(v) ** 2 for v in vector) ** 0.5

    later = list(itertools.product(range(1, steps), range(batch), range(size)))
    over_sequences = [variance(encodings[t, :, d]) for t in range(steps) for d in range(size)]
    within = [mean(variance(encodings[:, b, d]) for b in range(batch)) for d in range(size)]
    total = [variance(encodings[:, :, d].flatten()) for d in range(size)]
    return {
        "encoding_variance": mean(over_sequences),
        "variance_over_time": sum(within) / sum(total),
        "copy_mse": mean((encodings[t, b, d] - encodings[0, b, d]) ** 2 for t, b, d in later),
        "prediction_mse": mean((encodings[t, b, d] - states[t, b, d]) ** 2 for t, b, d in later),
        "copy_direction_mse": mean(
            (unit(encodings[t, b])[d] - unit(encodings[0, b])[d]) ** 2 for t, b, d in later
        ),
        "prediction_direction_mse": mean(
            (unit(encodings[t, b])[d] - unit(states[t, b])[d]) ** 2 for t, b, d in later
        ),
    }


@pytest.mark.parametrize("model_type", ["VICReg", "SimCLR"])
def test_it_is_what_the_definitions_say(stream, model_type):
    model = model_of(model_type).eval()
    batch = stream.batch(0).time_major()
    with torch.no_grad():
        encodings = model.encode(batch.states).double()
        states = model.rollout(batch.states[0], batch.actions, torch.Generator()).double()
    measured = measure_dynamics(model, stream, seed=1)
    del measured["motion_r2"]
    assert measured == pytest.approx(slow_dynamics(encodings, states), rel=1e-4)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many") / "data"
    sizes = {"train": 32, "probe": 1, "evaluation": 80}
    write_dataset(DatasetSpec("Single", 1.3, 5, 5, 1, sizes), [FIXED], folder)
    return BatchStream(open_dataset(folder), "evaluation", FIXED, 80)


def motion(stream, roll):
    """Return motion_r2 of a model whose rollout is a function of the true encodings [T, B, D]."""
    model = model_of("VICReg").eval()
    with torch.no_grad():
        true = model.encode(stream.batch(0).time_major().states)
    model.rollout = lambda *_: roll(true)
    return measure_dynamics(model, stream, seed=1)["motion_r2"]


def test_motion_r2_is_1_for_a_rollout_that_moves_as_the_encodings_do(many):
    mixed = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    assert motion(many, lambda true: true) == pytest.approx(1, abs=1e-3)
    assert motion(many, lambda true: true @ mixed + true[:1]) == pytest.approx(1, abs=1e-2)


def test_motion_r2_is_0_for_a_rollout_that_does_not_move_or_moves_otherwise(many):
    assert motion(many, lambda true: true[:1].expand_as(true)) == pytest.approx(0, abs=1e-9)
    assert motion(many, lambda true: true.roll(1, dims=1)) < 0.1, "other sequences' motion"


class Constant(torch.nn.Module):
    """Encodes a sequence by its number alone, or a frame by its time alone."""

    def __init__(self, of_time):
        super().__init__()
        self.of_time = of_time

    def forward(self, frames):
        value = torch.arange(len(frames) // STEPS).float()
        step = torch.arange(STEPS).float()
        value = step[:, None] + value * 0 if self.of_time else step[:, None] * 0 + value
        return value.reshape(-1, 1).expand(-1, 8)


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
    assert set(measured) == {
        "encoding_variance",
        "variance_over_time",
        "copy_mse",
        "copy_direction_mse",
    }


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
        seen.append(frames.shape[1])
        return torch.zeros(*frames.shape[:2], 8)

    batch = SimpleNamespace(states=torch.zeros(3, 600, 1, 1, 1))
    stream = SimpleNamespace(batch=lambda _: SimpleNamespace(time_major=lambda: batch))
    model = SimpleNamespace(
        encode=encode, training=False, eval=lambda: None, train=lambda mode: None
    )
    measure_dynamics(model, stream, seed=1)
    assert sum(seen) == 512
    assert max(seen) * 3 <= 512, "few frames at once, so that memory stays small"
