"""Loss terms: equal to their formulas in Python loops, and accurate in float32 with gradients."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.losses.action import ActionPredictor, action_error
from slow_features.losses.gram import gram
from slow_features.losses.prediction import prediction_error
from slow_features.losses.simclr import contrastive_loss
from slow_features.losses.vicreg import covariance, squared_off_diagonal, variance_hinge
from tests.reference import slow_jepa as slow

SHAPES = st.tuples(st.integers(1, 3), st.integers(2, 6), st.integers(1, 6))  # T, B, D
SEEDS = st.integers(0, 1000)
few = settings(max_examples=25, deadline=None)


def draw(shape, seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(shape, generator=generator, dtype=torch.float64)


@few
@given(SHAPES, SEEDS, st.sampled_from([0.01, 0.5, 3.0]))
def test_vicreg_terms_equal_their_formulas(shape, seed, scale):
    embeddings = draw(shape, seed, scale)
    hinge = slow.variance_hinge_by_loops(embeddings)
    assert variance_hinge(embeddings).item() == pytest.approx(hinge, rel=1e-10)
    expected = slow.covariance_by_loops(embeddings)
    assert covariance(embeddings).item() == pytest.approx(expected, rel=1e-9, abs=1e-14)


@few
@given(SHAPES, SEEDS, st.sampled_from([0.5, 8.0]), st.booleans())
def test_contrastive_loss_equals_its_formula(shape, seed, temperature, normalize):
    predictions, encodings = draw(shape, seed), draw(shape, seed + 1)
    loss = contrastive_loss(predictions, encodings, temperature, normalize)
    expected = slow.contrastive_by_loops(predictions, encodings, temperature, normalize)
    assert loss.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@few
@given(SHAPES, SEEDS)
def test_prediction_error_equals_its_formula(shape, seed):
    predictions, encodings = draw(shape, seed), draw(shape, seed + 1)
    expected = slow.mean_squared_error_by_loops(predictions, encodings)
    assert prediction_error(predictions, encodings).item() == pytest.approx(expected)


@few
@given(SHAPES, SEEDS)
def test_action_error_equals_its_formula(shape, seed):
    steps, batch, size = shape
    action_predictor = ActionPredictor(size, 2).double()
    encodings, predictions = draw((steps + 1, batch, size), seed), draw(shape, seed + 1)
    actions = draw((steps, batch, 2), seed + 2)
    error = action_error(action_predictor, encodings, predictions, actions)
    expected = slow.action_error_by_loops(action_predictor.linear, encodings, predictions, actions)
    assert error.item() == pytest.approx(expected)


def test_straightforward_models_compute_the_formulas_too():
    """The baseline of the benchmarks is not a different loss."""
    encodings, predictions = draw((4, 3, 5), 0, 0.5), draw((3, 3, 5), 1, 0.5)
    section = SimpleNamespace(
        sim_coeff=2.0, std_coeff=3.0, cov_coeff=4.0, loss_temp=0.5, normalize_z=True
    )
    this = SimpleNamespace(section=section)
    vicreg = slow.SlowVICReg.terms(this, encodings, predictions, None)
    sim = slow.mean_squared_error_by_loops(predictions, encodings[1:])
    std = slow.variance_hinge_by_loops(encodings[1:])
    cov = slow.covariance_by_loops(encodings[1:])
    assert [vicreg[k].item() for k in ("sim", "std", "cov")] == pytest.approx([sim, std, cov])
    assert vicreg["loss"].item() == pytest.approx(2 * sim + 3 * std + 4 * cov)
    simclr = slow.SlowSimCLR.terms(this, encodings, predictions, None)
    expected = slow.contrastive_by_loops(predictions, encodings[1:], 0.5, True)
    assert simclr["loss"].item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", ["hinge", "covariance", "contrastive"])
@pytest.mark.parametrize(("batch", "size"), [(8, 64), (60, 64), (64, 64), (200, 64)])
def test_float32_is_accurate_with_gradients(loss, batch, size):
    """1e-6 of the loss, 1e-4 of its gradient; 64 features stand for 512, batches lie around it."""
    weights = SimpleNamespace(
        sim_coeff=0.0,
        std_coeff=float(loss == "hinge"),
        cov_coeff=float(loss == "covariance"),
        loss_temp=0.5,
        normalize_z=False,
    )
    this = SimpleNamespace(section=weights)
    truth = (draw((3, batch, size), 0, 0.2) + 0.3).requires_grad_()
    others = draw((3, batch, size), 1, 0.2)
    value = truth.detach().float().requires_grad_()
    first = truth[:1].detach()
    if loss == "contrastive":
        expected = slow.SlowSimCLR.terms(this, torch.cat([first, truth]), others, None)["loss"]
        result = contrastive_loss(others.float(), value, 0.5, False)
    else:
        expected = slow.SlowVICReg.terms(this, torch.cat([first, truth]), others, None)["loss"]
        result = {"hinge": variance_hinge, "covariance": covariance}[loss](value)
    expected.backward()
    result.backward()
    assert result.item() == pytest.approx(expected.item(), rel=1e-6)
    assert (value.grad - truth.grad).norm() / truth.grad.norm() < 1e-5


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 5, 3), (2, 4, 4)])
def test_products_of_pairs_are_differentiated_exactly(shape):
    rows = draw(shape, 0).requires_grad_()
    assert torch.autograd.gradcheck(gram, rows)
    assert torch.autograd.gradcheck(squared_off_diagonal, rows)


def test_covariance_of_one_feature_is_exactly_zero():
    assert covariance(draw((2, 9, 1), 0).float()) == 0


def test_collapse_costs_the_most_and_varied_features_nothing():
    assert variance_hinge(torch.ones(2, 8, 4)).item() == pytest.approx(1 - 0.01)
    assert variance_hinge(draw((2, 64, 4), 0, 5.0)) == 0


def test_contrastive_loss_of_equal_vectors_is_a_blind_guess():
    vectors = torch.ones(2, 8, 4)
    loss = contrastive_loss(vectors, vectors, 1.0, normalize=True)
    assert loss.item() == pytest.approx(torch.log(torch.tensor(15.0)).item())
