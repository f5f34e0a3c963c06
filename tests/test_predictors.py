"""Predictors: the GRU against torch.nn.GRU, burn-in and MLP against a loop over time steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from slow_features.config.sections import ModelSection
from slow_features.errors import InputError
from slow_features.models.gru import GRU
from slow_features.models.predictors import build_predictor

SIZE, BATCH, STEPS = 24, 5, 7


def section(**values):
    return ModelSection(**{"embedding_size": SIZE, **values})


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


def slow_rollout(predictor, encodings, actions):
    """One action at a time; the state is set to the true encoding wherever there is one."""
    state, predictions = None, []
    for t, action in enumerate(actions):
        if t < len(encodings):
            state = encodings[t]
        state = predictor.unroll(state, action.unsqueeze(0))[0]
        predictions.append(state)
    return torch.stack(predictions)


@pytest.mark.parametrize("burnin", [1, 2, 4, STEPS])
@pytest.mark.parametrize("name", ["rnn", "id", f"{SIZE + 2}-16-{SIZE}"])
def test_burn_in_resets_the_state_to_the_true_encodings(name, burnin):
    torch.manual_seed(0)
    predictor = build_predictor(section(predictor=name, rnn_burnin=burnin))
    encodings, actions = torch.randn(burnin, BATCH, SIZE), torch.randn(STEPS, BATCH, 2)
    predictions = predictor(encodings, actions)
    assert predictions.shape == (STEPS, BATCH, SIZE)
    torch.testing.assert_close(predictions, slow_rollout(predictor, encodings, actions))


def test_layers_of_a_deep_gru_all_start_in_the_encoding():
    torch.manual_seed(0)
    predictor = build_predictor(section(rnn_layers=2))
    encoding, actions = torch.randn(1, BATCH, SIZE), torch.randn(STEPS, BATCH, 2)
    weights = predictor.gru.state_dict()
    layers = [nn.GRUCell(2, SIZE), nn.GRUCell(SIZE, SIZE)]
    for i, layer in enumerate(layers):
        layer.load_state_dict({key: weights[f"{key}_l{i}"] for key in layer.state_dict()})
    states = [encoding[0], encoding[0]]
    for t, action in enumerate(actions):
        states[0] = layers[0](action, states[0])
        states[1] = layers[1](states[0], states[1])
        torch.testing.assert_close(predictor(encoding, actions)[t], states[1])


def test_identity_predicts_the_last_known_encoding():
    encodings = torch.arange(2.0).view(2, 1, 1).expand(2, BATCH, SIZE)
    predictions = build_predictor(section(predictor="id"))(encodings, torch.randn(4, BATCH, 2))
    assert predictions[:, 0, 0].tolist() == [0.0, 1.0, 1.0, 1.0]


def test_first_size_of_an_mlp_is_always_state_and_action():
    """Published configurations write 515 where D + action_dim is 514."""
    predictor = build_predictor(section(predictor=f"515-16-{SIZE}"))
    assert [p.shape for p in predictor.parameters() if p.ndim == 2] == [(16, SIZE + 2), (SIZE, 16)]


@pytest.mark.parametrize("sizes", ["26-16-25", "26"])
def test_an_mlp_that_does_not_end_in_a_state_is_refused(sizes):
    with pytest.raises(InputError, match=rf"predictor = {sizes}: allowed: .*embedding_size = 24"):
        build_predictor(section(predictor=sizes))
