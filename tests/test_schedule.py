"""Claim: the rate is the published one at 100 epochs and the same curve, compressed, below."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slow_features.optim.schedule import warmup_cosine
from tests.reference.slow_optim import slow_rates


def rates(base_lr, batch_size, steps_per_epoch, epochs):
    rate = warmup_cosine(base_lr, batch_size, steps_per_epoch, epochs)
    return [rate(step) for step in range(steps_per_epoch * epochs)]


@pytest.mark.parametrize("shape", [(39, 100), (156, 100), (312, 2), (78, 5), (7, 1), (1, 1)])
def test_agrees_with_the_slow_reference(shape):
    assert rates(0.4, 64, *shape) == pytest.approx(slow_rates(0.4, 64, *shape), rel=1e-6)


def test_landmarks_of_the_published_run():
    """39 updates an epoch, full rate 0.2 * 128/256 = 0.1."""
    values = rates(0.2, 128, 39, 100)
    assert values[0] == pytest.approx(0.1 / 10)  # one epoch ahead
    assert values[39] == pytest.approx(0.1 * 2 / 10)
    assert values[39 * 9] == pytest.approx(0.1)  # warm-up ends after 9 epochs
    assert values[39 * 54] == pytest.approx(0.1 * (1 + 0.001) / 2)  # half of the cosine
    assert values[39 * 99] == pytest.approx(0.1 / 1000)  # its end, one epoch early
    turn = math.cos(math.pi * (1 + 38 / 39 / 90))
    assert values[-1] == pytest.approx(0.1 * (0.001 + 0.999 * (1 + turn) / 2))
    assert 1.28e-4 < values[-1] < 1.3e-4  # the last epoch rises again


@given(batch=st.integers(1, 4096), steps=st.integers(1, 400), epochs=st.integers(1, 120))
def test_rises_then_falls_and_never_leaves_its_bounds(batch, steps, epochs):
    values = rates(0.2, batch, steps, epochs)
    full = 0.2 * batch / 256
    assert all(full / 1000 * (1 - 1e-9) <= value <= full * (1 + 1e-9) for value in values)
    assert values[0] == pytest.approx(full / 10)
    top = values.index(max(values))
    assert values[: top + 1] == sorted(values[: top + 1])
    end = math.ceil(0.99 * len(values))
    assert values[top:end] == sorted(values[top:end], reverse=True)


@given(steps=st.integers(1, 400), epochs=st.integers(1, 20))
def test_only_the_number_of_updates_counts(steps, epochs):
    """A short run of long epochs and a long run of short epochs have the same rates."""
    assert rates(1.0, 256, steps, epochs) == rates(1.0, 256, steps * epochs, 1)


@given(factor=st.floats(0.01, 100))
def test_proportional_to_the_base_rate(factor):
    one, other = rates(1.0, 64, 5, 4), rates(factor, 64, 5, 4)
    assert other == pytest.approx([factor * value for value in one])
