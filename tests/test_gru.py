"""The predictor: a GRU, against torch.nn.GRU and a loop over time steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from slow_features.models.gru import GRU

SIZE, BATCH, STEPS = 24, 5, 7


@pytest.mark.parametrize("layers", [1, 3])
def test_gru_equals_torch_gru_with_all_gradients(layers):
    torch.manual_seed(0)
    ours, torchs = GRU(2, SIZE, layers), nn.GRU(2, SIZE, layers)
    ours.load_state_dict(torchs.state_dict())  # the same names and shapes, or this raises
    actions = torch.randn(STEPS, BATCH, 2, requires_grad=True)
    state = torch.randn(BATCH, SIZE, requires_grad=True)
    grad = torch.randn(STEPS, BATCH, SIZE)
    states = ours(actions, state)
    truth = torchs(actions, state.repeat(layers, 1, 1))[0]
    torch.testing.assert_close(states, truth, rtol=0, atol=1e-6)
    gradients = torch.autograd.grad(states, [actions, state, *ours.parameters()], grad)
    truths = torch.autograd.grad(truth, [actions, state, *torchs.parameters()], grad)
    for gradient, true_gradient in zip(gradients, truths, strict=True):
        torch.testing.assert_close(gradient, true_gradient, rtol=1e-5, atol=2e-6)


def test_gru_starts_from_the_weights_of_torch_gru():
    torch.manual_seed(3)
    ours = GRU(2, SIZE)
    torch.manual_seed(3)
    torchs = nn.GRU(2, SIZE)
    assert all(map(torch.equal, ours.parameters(), torchs.parameters()))


def test_gru_is_differentiated_exactly():
    torch.manual_seed(0)
    gru = GRU(2, 4, 2).double()
    actions = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    state = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in gru.named_parameters()]

    def run(actions, state, *parameters):
        named = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(gru, named, (actions, state))

    assert torch.autograd.gradcheck(run, (actions, state, *gru.parameters()))


def relative_distance(found, truth):
    return (found.float() - truth).norm() / truth.norm()


def test_gru_with_bfloat16_products_stays_near_float32_over_all_steps():
    """Products are rounded to 8 bits, the states that are handed on are not."""
    torch.manual_seed(0)
    gru = GRU(2, 64)
    actions, state = torch.randn(16, BATCH, 2), torch.randn(BATCH, 64, requires_grad=True)
    exact = gru(actions, state)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = gru(actions, state)
    assert exact.dtype == rounded.dtype == torch.float32
    assert 1e-5 < relative_distance(rounded, exact) < 1e-2
    wanted = [state, *gru.parameters()]
    grad = torch.randn_like(exact)
    truths = torch.autograd.grad(exact, wanted, grad)
    for found, truth in zip(torch.autograd.grad(rounded, wanted, grad), truths, strict=True):
        assert found.dtype == torch.float32
        assert relative_distance(found, truth) < 1e-2


def test_layers_of_a_deep_gru_all_start_in_the_encoding():
    torch.manual_seed(0)
    predictor = GRU(2, SIZE, 2)
    encoding, actions = torch.randn(BATCH, SIZE), torch.randn(STEPS, BATCH, 2)
    weights = predictor.state_dict()
    layers = [nn.GRUCell(2, SIZE), nn.GRUCell(SIZE, SIZE)]
    for i, layer in enumerate(layers):
        layer.load_state_dict({key: weights[f"{key}_l{i}"] for key in layer.state_dict()})
    states = [encoding, encoding]
    for t, action in enumerate(actions):
        states[0] = layers[0](action, states[0])
        states[1] = layers[1](states[0], states[1])
        torch.testing.assert_close(predictor(actions, encoding)[t], states[1])
