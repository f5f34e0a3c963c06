"""Claim: the closed form is the least-squares probe, also where its features are singular."""

import numpy as np
import pytest
import torch

from slow_features.errors import TrainingError
from slow_features.probe.closed_form import NormalEquations, fit_closed_form
from slow_features.probe.features import States
from tests.reference.slow_probe import slow_least_squares


def random_batches(features=12, dots=1, sizes=(7, 20, 13), seed=0):
    """States that say something about the locations, and noise. T = 5."""
    g = torch.Generator().manual_seed(seed)
    mixing = torch.randn(2 * dots, features, generator=g)
    batches = []
    for size in sizes:
        locations = torch.randn(5, size, dots, 2, generator=g)
        noise = torch.randn(5, size, features, generator=g)
        batches.append(States(locations.flatten(2) @ mixing + noise + 0.5, locations))
    return batches


@pytest.mark.parametrize("dots", [1, 3])
def test_equals_least_squares_by_svd(dots):
    batches = random_batches(dots=dots)
    probes = fit_closed_form(batches)
    states, locations = [b.states for b in batches], [b.locations for b in batches]
    pred = slow_least_squares(states, locations)
    enc = slow_least_squares([s[:1] for s in states], [y[:1] for y in locations])
    np.testing.assert_allclose(probes.pred.weight.numpy(), pred, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(probes.enc.weight.numpy(), enc, rtol=1e-9, atol=1e-11)
    assert probes.pred.weight.shape == (2 * dots, 12)
    assert (probes.pred.rank, probes.pred.sequences, probes.pred.solver) == (12, 40, "closed_form")


def test_no_other_weight_has_a_smaller_error():
    """A check by definition: moving the weight in any direction raises the squared distance."""
    batches = random_batches(sizes=(50,))
    best = fit_closed_form(batches).pred.weight
    x, y = batches[0].states.double().flatten(0, 1), batches[0].locations.double().flatten(0, 1)

    def error(weight):
        return ((x @ weight.T).unflatten(-1, (-1, 2)) - y).square().sum()

    g = torch.Generator().manual_seed(3)
    for _ in range(20):
        step = 1e-3 * torch.randn(best.shape, generator=g, dtype=torch.float64)
        assert error(best + step) > error(best)


def test_the_batch_size_changes_nothing():
    (whole,) = random_batches(sizes=(40,))
    starts = range(0, 40, 9)
    parts = [States(whole.states[:, i : i + 9], whole.locations[:, i : i + 9]) for i in starts]
    one, other = fit_closed_form([whole]), fit_closed_form(parts)
    torch.testing.assert_close(one.pred.weight, other.pred.weight, rtol=1e-10, atol=1e-12)


def test_singular_features_give_the_weight_of_smallest_norm():
    """Six features repeated: the rank is 6 and both copies share the weight."""
    (batch,) = random_batches(features=6, sizes=(60,))
    doubled = States(torch.cat([batch.states, batch.states], -1), batch.locations)
    probe = fit_closed_form([doubled]).pred
    assert probe.rank == 6
    torch.testing.assert_close(probe.weight[:, :6], probe.weight[:, 6:])
    alone = fit_closed_form([batch]).pred
    torch.testing.assert_close(probe.decode(doubled.states), alone.decode(batch.states))


def test_fewer_sequences_than_features_are_fitted_exactly():
    (batch,) = random_batches(features=30, sizes=(4,))  # 20 rows
    probe = fit_closed_form([batch]).pred
    assert probe.rank == 20
    torch.testing.assert_close(probe.decode(batch.states).float(), batch.locations)


@pytest.mark.parametrize(("value", "rank"), [(0.0, 0), (3.0, 1)])
def test_constant_states_are_fitted_without_failing(value, rank):
    states, locations = torch.full((5, 9, 8), value), torch.rand(5, 9, 1, 2)
    probe = fit_closed_form([States(states, locations)]).pred
    assert probe.rank == rank
    if rank:
        expected = locations.double().mean((0, 1)).expand(5, 9, 1, 2)
        torch.testing.assert_close(probe.decode(states.double()), expected)
    else:
        assert not probe.weight.any()


def test_a_signal_far_below_a_large_mean_is_still_read():
    """Float64 sums keep a signal of 1e-3 beside a constant of 10: squared, 1e-8 of it."""
    g = torch.Generator().manual_seed(0)
    locations = torch.randn(5, 200, 1, 2, generator=g)
    states = torch.cat([1e-3 * locations.flatten(2), torch.full((5, 200, 1), 10.0)], -1)
    probe = fit_closed_form([States(states, locations)]).pred
    assert (probe.decode(states.double()) - locations).abs().max() < 1e-4


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_states_that_are_not_finite_are_an_error(bad):
    states = torch.ones(2, 3, 4)
    states[1, 2, 3] = bad
    with pytest.raises(TrainingError, match="not finite"):
        fit_closed_form([States(states, torch.zeros(2, 3, 1, 2))])


def test_sums_are_float64():
    sums = NormalEquations.of(random_batches()[0])
    assert sums.gram.dtype == sums.moment.dtype == torch.float64
