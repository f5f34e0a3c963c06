"""Claim: the error is the one of the paper, number by number."""

import math

import pytest
import torch

from slow_features.data.geometry import normalise_locations, unnormalise_locations
from slow_features.errors import TrainingError
from slow_features.probe.metrics import SquaredDistance, centre_like, error_table
from tests.reference.slow_probe import slow_errors, slow_mean_squares

DOTS = ("action", "random", "stationary")


def locations(seed, dots=3):
    g = torch.Generator().manual_seed(seed)
    return 27 * torch.rand(4, 6, dots, 2, generator=g, dtype=torch.float64)


def measured(decoded, true, parts=(2, 4)):
    total = SquaredDistance()
    for d, t in zip(decoded.split(parts, 1), true.split(parts, 1), strict=True):
        total.add(d, t)
    return total.mean()


def test_mean_squares_and_every_root_agree_with_nested_loops():
    decoded, true = locations(0), locations(1)
    ours, slow = measured(decoded, true), slow_mean_squares(decoded, true)
    torch.testing.assert_close(ours, torch.tensor(slow, dtype=torch.float64))
    table, expected = error_table(ours, DOTS), slow_errors(slow, DOTS)
    assert table.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict) and isinstance(next(iter(value.values())), list):
            assert all(table[name][dot] == pytest.approx(value[dot]) for dot in DOTS)
        else:
            assert table[name] == pytest.approx(value)


def test_by_hand_on_one_dot():
    """A decoded dot that is off by (3, 4) px at one step and exact at the other: 5 px, 0 px."""
    true = torch.full((2, 1, 1, 2), 10.0, dtype=torch.float64)
    decoded = true.clone()
    decoded[0, 0, 0] += torch.tensor([3.0, 4.0])
    table = error_table(measured(decoded, true, parts=(1,)), ("action",))
    assert table["per_step_px"] == [5.0, 0.0]
    assert table["rmse_px"] == pytest.approx(5 / math.sqrt(2))
    assert table["rmse_unit"] == pytest.approx(5 / math.sqrt(2) / 28)


def test_the_average_over_dots_is_that_of_the_papers_table():
    """Table 1, VICReg: dots 0.277, 0.273, 0.066 and average 0.229: the root of the mean square."""
    squares = torch.tensor([[0.277, 0.273, 0.066]], dtype=torch.float64).square()
    assert error_table(squares, DOTS)["rmse_px"] == pytest.approx(0.229, abs=0.002)


def test_an_error_in_normalised_units_counts_in_px():
    true = locations(2)
    decoded = normalise_locations(true, 1.3) + 0.1
    ours = measured(unnormalise_locations(decoded, 1.3), true)
    px = 0.1 * (27 - 2 * 2.6) / math.sqrt(12)
    torch.testing.assert_close(ours, torch.full_like(ours, 2 * px**2))


def test_the_centre_on_uniform_locations_has_the_expected_error():
    """Uniform in [2.6, 24.4] per coordinate: variance 21.8^2 / 12 each, so RMSE 8.90 px."""
    g = torch.Generator().manual_seed(0)
    true = 2.6 + 21.8 * torch.rand(1, 40_000, 1, 2, generator=g, dtype=torch.float64)
    error = error_table(measured(centre_like(true), true, parts=(40_000,)), ("action",))
    assert error["rmse_px"] == pytest.approx(21.8 / math.sqrt(6), rel=0.01)


def test_an_error_that_is_not_finite_is_reported():
    true = locations(3)
    with pytest.raises(TrainingError, match="not finite"):
        measured(true * float("nan"), true)
