"""Claim: LARS does what its definition says, for every layer at once and after a resume."""

import pytest
import torch
from torch import nn

from slow_features.optim.lars import LARS
from tests.reference.slow_optim import SlowLARS


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 8), nn.GRUCell(8, 8)
    )


def set_gradients(model, generator):
    for p in model.parameters():
        p.grad = torch.randn(p.shape, generator=generator)


def test_one_matrix_and_one_bias_by_hand():
    """|p| = 5, |g| = 10: the matrix moves by lr * eta * 5/10 * g, the bias by lr * g."""
    weight = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    bias = nn.Parameter(torch.tensor([3.0, 4.0]))
    weight.grad, bias.grad = torch.tensor([[6.0, 8.0]]), torch.tensor([6.0, 8.0])
    LARS([weight, bias], lr=2.0, eta=0.01, weight_decay=0.0).step()
    assert torch.allclose(weight, torch.tensor([[3 - 0.06, 4 - 0.08]]))
    assert torch.allclose(bias, torch.tensor([3 - 12.0, 4 - 16.0]))


def test_momentum_and_decay_by_hand():
    """Two steps with gradient 0: only decay moves the matrix, and the second adds the buffer."""
    weight = nn.Parameter(torch.tensor([[1.0]]))
    optimizer = LARS([weight], lr=1.0, momentum=0.5, eta=0.1, weight_decay=0.01)
    expected, buffer = 1.0, 0.0
    for _ in range(2):
        weight.grad = torch.zeros(1, 1)
        optimizer.step()
        buffer = 0.5 * buffer + 0.1 * expected  # eta |p| / |wd p| * wd p = eta p
        expected -= buffer
    assert weight.item() == pytest.approx(expected, rel=1e-6)


def test_minimises_a_quadratic():
    """On |x - 1|^2 the distance shrinks by the relative step lr * eta until it is of that size."""
    weight = nn.Parameter(torch.full((2, 2), 3.0))
    optimizer = LARS([weight], lr=10.0, momentum=0.0)
    for _ in range(300):
        optimizer.zero_grad()
        (weight - 1).square().sum().backward()
        optimizer.step()
    assert (weight - 1).abs().max() < 0.011


@pytest.mark.parametrize("seed", range(3))
def test_fifty_steps_agree_with_the_loop_over_parameters(seed):
    fast, slow = network(seed), network(seed)
    ours, reference = LARS(fast.parameters(), lr=0.3), SlowLARS(slow.parameters(), lr=0.3)
    for step in range(50):
        for model in (fast, slow):
            set_gradients(model, torch.Generator().manual_seed(step))
        ours.param_groups[0]["lr"] = reference.lr = 0.3 + 0.01 * step
        ours.step()
        reference.step()
    for p, q in zip(fast.parameters(), slow.parameters(), strict=True):
        assert torch.allclose(p, q, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("zero", ["weight", "gradient"])
def test_a_norm_of_zero_means_no_adaptation(zero):
    """A layer at 0 must still learn, and a gradient of 0 must not divide by 0."""
    weight = nn.Parameter(torch.zeros(2, 2) if zero == "weight" else torch.ones(2, 2))
    weight.grad = torch.ones(2, 2) if zero == "weight" else torch.zeros(2, 2)
    before = weight.detach().clone()
    LARS([weight], lr=0.5, weight_decay=0.0).step()
    assert torch.equal(weight, before - 0.5 * weight.grad)


def test_parameters_without_gradient_stay():
    used, unused = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    used.grad = torch.ones(2, 2)
    optimizer = LARS([used, unused], lr=1.0)
    optimizer.step()
    assert torch.equal(unused, torch.ones(2, 2))
    assert not torch.equal(used, torch.ones(2, 2))
    assert unused not in optimizer.state


def test_gradients_are_left_as_they_were():
    model = network(0)
    set_gradients(model, torch.Generator().manual_seed(1))
    before = [p.grad.clone() for p in model.parameters()]
    LARS(model.parameters(), lr=1.0).step()
    for p, gradient in zip(model.parameters(), before, strict=True):
        assert torch.equal(p.grad, gradient)


def test_resume_from_the_state_dict_is_exact():
    whole, first = network(0), network(0)
    ours, theirs = LARS(whole.parameters(), lr=0.1), LARS(first.parameters(), lr=0.1)
    for step in range(6):
        if step == 3:
            second = network(1)
            second.load_state_dict(first.state_dict())
            resumed = LARS(second.parameters(), lr=9.0)
            resumed.load_state_dict(theirs.state_dict())
            first, theirs = second, resumed
        for model, optimizer in ((whole, ours), (first, theirs)):
            set_gradients(model, torch.Generator().manual_seed(step))
            optimizer.step()
    for p, q in zip(whole.parameters(), first.parameters(), strict=True):
        assert torch.equal(p, q)
