"""Claim: the Adam probe takes the published steps: those of nn.Linear under torch's Adam."""

import pytest
import torch
from torch import nn

from slow_features.probe.adam import fit_adam
from slow_features.probe.closed_form import fit_closed_form
from slow_features.probe.features import States
from tests.reference.slow_probe import slow_loss


def random_batches(count, dots=1, size=16, features=12):
    g = torch.Generator().manual_seed(5)
    mixing = torch.randn(2 * dots, features, generator=g)
    batches = []
    for _ in range(count):
        locations = torch.randn(5, size, dots, 2, generator=g)
        batches.append(States(locations.flatten(2) @ mixing, locations))
    return batches


@pytest.mark.parametrize("dots", [1, 3])
@pytest.mark.parametrize("kind", ["pred", "enc"])
def test_agrees_with_the_loop_over_steps(kind, dots):
    batches = random_batches(40, dots)
    start = getattr(fit_adam(batches[:1], 0.01, 0, 0, seed=3), kind).weight
    ours = getattr(fit_adam(batches, 0.01, 40, 40, seed=3), kind).weight
    probe = nn.Linear(12, 2 * dots, bias=False)
    with torch.no_grad():
        probe.weight.copy_(start)
    optimizer = torch.optim.Adam(probe.parameters(), lr=0.01)
    for batch in batches:
        steps = len(batch.states) if kind == "pred" else 1
        optimizer.zero_grad()
        slow_loss(probe, list(batch.states[:steps]), batch.locations[:steps]).backward()
        optimizer.step()
    torch.testing.assert_close(ours, probe.weight.detach(), rtol=1e-5, atol=1e-5)
    assert (ours - start).abs().max() > 0.05  # it moved


def test_each_probe_takes_its_own_number_of_steps():
    batches = random_batches(6)
    probes = fit_adam(batches, 0.01, 6, 2, seed=0)
    assert (probes.pred.sequences, probes.enc.sequences) == (96, 32)
    alone = fit_adam(batches[:2], 0.01, 2, 2, seed=0)
    assert torch.equal(probes.enc.weight, alone.enc.weight)
    assert not torch.equal(probes.pred.weight, alone.pred.weight)


def test_initial_weight_is_that_of_a_linear_layer_and_depends_on_the_seed_alone():
    (batch,) = random_batches(1, features=400)
    torch.manual_seed(1)
    one = fit_adam([batch], 0.01, 0, 0, seed=7).pred.weight
    torch.manual_seed(2)
    assert torch.equal(one, fit_adam([batch], 0.01, 0, 0, seed=7).pred.weight)
    assert not torch.equal(one, fit_adam([batch], 0.01, 0, 0, seed=8).pred.weight)
    assert one.abs().max() <= 1 / 20
    assert one.std().item() == pytest.approx(1 / 20 / 3**0.5, rel=0.05)


def test_converges_to_the_closed_form():
    """The two solvers minimise the same error: after many steps they agree."""
    batches = random_batches(1, size=64) * 3000
    adam = fit_adam(batches, 0.01, 3000, 3000, seed=0)
    exact = fit_closed_form(batches[:1])
    state = batches[0].states
    assert (adam.pred.decode(state) - exact.pred.decode(state)).abs().max() < 1e-3
