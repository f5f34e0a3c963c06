"""Trajectories follow their distributions and depend on nothing but their number and the seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.data.geometry import CONCENTRATION, bounds
from slow_features.data.trajectories import BLOCK, roll_out, sample
from tests.reference import slow_data

SIGMA = 1.3
LOW, HIGH = bounds(SIGMA)


def draw(begin, end, split="train", seed=1, dots=1, n_steps=17):
    return sample(split, seed, dots, SIGMA, n_steps, begin, end)


def test_shapes_and_type():
    start, actions = draw(0, 5, dots=3)
    assert start.shape == (5, 3, 2) and actions.shape == (5, 16, 3, 2)
    assert start.dtype == actions.dtype == np.float32
    assert roll_out(start, actions, LOW, HIGH).shape == (5, 17, 3, 2)


@settings(max_examples=20, deadline=None)
@given(begin=st.integers(0, 3 * BLOCK), length=st.integers(1, 2 * BLOCK))
def test_any_range_is_drawn_without_the_rest(begin, length):
    start, actions = draw(begin, begin + length)
    whole_start, whole_actions = draw(0, begin + length)
    assert np.array_equal(start, whole_start[begin:])
    assert np.array_equal(actions, whole_actions[begin:])


def test_walk_equals_a_slow_walk_of_python_floats():
    start, actions = draw(0, 50, dots=3)
    fast = roll_out(start, actions, LOW, HIGH)
    for sequence in range(50):
        for dot in range(3):
            moves = actions[sequence, :, dot].astype(float)
            slow = slow_data.walk(start[sequence, dot].astype(float), moves, LOW, HIGH)
            np.testing.assert_allclose(fast[sequence, :, dot], slow, atol=1e-5)


def test_locations_stay_inside_and_the_clamp_is_at_work():
    start, actions = draw(0, 2000)
    locations = roll_out(start, actions, LOW, HIGH)
    assert locations.min() == np.float32(LOW) and locations.max() == np.float32(HIGH)
    intended = locations[:, :-1] + actions
    clamped = np.abs(intended - locations[:, 1:]).max(axis=(1, 2, 3)) > 0.01
    assert 0.05 < clamped.mean() < 0.95  # the recorded action is the intended one


def test_starts_and_lengths_are_uniform():
    start, actions = draw(0, 5000)
    length = np.linalg.norm(actions, axis=-1)
    assert kolmogorov_distance((start - LOW) / (HIGH - LOW)) < 1.95 / np.sqrt(start.size)
    assert kolmogorov_distance(length / 4) < 1.95 / np.sqrt(length.size)


def kolmogorov_distance(sample_):
    ordered = np.sort(sample_.ravel().astype(float))
    return np.abs(ordered - (np.arange(len(ordered)) + 0.5) / len(ordered)).max()


def test_angles_have_the_concentration_of_the_von_mises_distribution():
    """The mean of cos(angle - mean angle) is I1(k) / I0(k) = k / 2 - k^3 / 16 + ...

    The mean angle is unknown, but two angles of one sequence, independent given it, have
    E cos(difference) = (I1 / I0)^2.
    """
    _, actions = draw(0, 20_000)
    angle = np.arctan2(actions[:, :, 0, 1], actions[:, :, 0, 0])
    resultant = np.exp(1j * angle).sum(axis=1)
    pairs = (np.abs(resultant) ** 2 - 16) / (16 * 15)
    expected = (CONCENTRATION / 2 - CONCENTRATION**3 / 16) ** 2
    assert pairs.mean() == pytest.approx(expected, abs=4 * pairs.std() / np.sqrt(len(pairs)))
    assert abs(np.exp(1j * angle).mean()) < 0.01  # no direction is preferred over sequences


def test_of_three_dots_two_move_independently_and_one_stands_still():
    _, actions = draw(0, 5000, dots=3)
    assert not actions[:, :, 2].any()
    first, second = actions[:, :, 0].ravel(), actions[:, :, 1].ravel()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    assert first.std() == pytest.approx(second.std(), rel=0.02)


def test_no_sequence_is_seen_twice():
    start, actions = draw(0, 20_000)
    rows = np.concatenate([start.reshape(20_000, -1), actions.reshape(20_000, -1)], axis=1)
    assert len(np.unique(rows, axis=0)) == 20_000
    assert len(np.unique(start.reshape(-1, 2), axis=0)) == 20_000


def test_only_the_train_split_depends_on_the_seed():
    assert not np.array_equal(draw(0, 9, seed=1)[0], draw(0, 9, seed=2)[0])
    for split in ("probe", "evaluation"):
        for one, other in zip(draw(0, 9, split, 1), draw(0, 9, split, 2), strict=True):
            assert np.array_equal(one, other)


def test_splits_differ():
    starts = [draw(0, 9, split)[0] for split in ("train", "probe", "evaluation")]
    assert not np.array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[1], starts[2])
