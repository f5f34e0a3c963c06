"""The baseline "start": against the bare formula, and what it says of the published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from slow_features.data.cache import data_for
from slow_features.probe.start import mean_of_roots, root_of_mean, start_errors
from tests.tiny import small_config

PUBLISHED = (3, 1.3, 17, 10_000, 10_000)  # dots, sigma, frames, sequences of both splits


def test_it_equals_least_squares_on_the_stored_sequences(tmp_root):
    """On the same sequences as models are probed on, by the normal equations, dot by dot."""
    config = small_config("VICReg", "dataset_type=Multiple", "vicreg.channels=3")
    data = data_for(config)
    splits = {}
    for split in ("probe", "evaluation"):
        locations, _ = data.sequences(split, 0, 64 if split == "probe" else 32)
        splits[split] = locations.astype(np.float64) - 13.5
    fit, measured = splits["probe"], splits["evaluation"]
    expected = np.zeros((5, 3))
    for step in range(5):
        for dot in range(3):
            x, y = fit[:, 0, dot], fit[:, step, dot]
            weights = np.linalg.inv(x.T @ x) @ x.T @ y
            for sequence in measured:
                missed = sequence[0, dot] @ weights - sequence[step, dot]
                expected[step, dot] += (missed @ missed) / 32
    np.testing.assert_allclose(start_errors(3, 1.3, 5, 64, 32), expected, rtol=1e-9, atol=1e-18)


def test_it_knows_what_stands_still_and_forgets_what_moves():
    errors = start_errors(*PUBLISHED)
    np.testing.assert_allclose(errors[:, 2], 0, atol=1e-20)
    assert (np.diff(errors[:, :2], axis=0) > 0).all(), "each step is harder than the one before"
    still_better = 0.95 * start_errors(1, 1.3, 17, 10_000, 10_000)[-1]
    assert errors[-1, 0] > still_better


def test_no_average_of_ours_allows_the_published_random_dot_but_the_mean_of_roots():
    """Table 1 has 0.193 for SimCLR's random dot, whose moves no model is told."""
    random = start_errors(*PUBLISHED)[:, 1]
    assert root_of_mean(random) / 28 == pytest.approx(0.1986, abs=2e-4)
    assert mean_of_roots(random) / 28 == pytest.approx(0.1856, abs=2e-4)
    assert mean_of_roots(random) / 28 < 0.193 < root_of_mean(random) / 28


def test_the_mean_of_roots_is_never_the_larger_one():
    squares = np.random.default_rng(0).exponential(size=(17, 4))
    assert (mean_of_roots(squares) <= root_of_mean(squares)).all()
    same = np.full((17, 1), 9.0)
    assert mean_of_roots(same) == root_of_mean(same) == 3.0
