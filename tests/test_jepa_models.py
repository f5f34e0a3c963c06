"""VICReg, SimCLR, IDM, Supervised and Random: losses and one-step gradients against slow twins.

Each twin (tests/reference/slow_jepa.py) is a plain model in float64 with the same weights.
"""

from __future__ import annotations

import pytest
import torch

from slow_features.data.batch import TimeMajorBatch
from slow_features.errors import InputError
from slow_features.models.jepa import Step
from slow_features.models.registry import MODELS
from tests.reference.slow_jepa import SLOW_MODELS, as_slow, distance_to_kinks
from tests.reference.slow_optim import SlowLARS, slow_rates

TINY = {"backbone_width_factor": 1, "embedding_size": 24}
OWN = {
    "VICReg": {"sim_coeff": 20.0, "std_coeff": 10.0, "cov_coeff": 1.0},
    "SimCLR": {"loss_temp": 0.5},
    "IDM": {"action_coeff": 0.3},
    "Supervised": {},
    "Random": {},
}
JEPA = ("VICReg", "SimCLR", "IDM")


def build(name, dots=1, **values):
    torch.manual_seed(0)
    section = MODELS[name].section_class()(**{**TINY, **OWN[name], **values})
    return MODELS[name].model_class()(section, dots=dots)


def make_batch(steps=5, batch=6, dots=1, channels=1, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    return TimeMajorBatch(
        states=draw(batch, steps, channels, 28, 28).transpose(0, 1),
        locations=draw(steps, batch, dots, 2),
        actions=draw(steps - 1, batch, 2),
    )


def as_double(batch):
    return TimeMajorBatch(batch.states.double(), batch.locations.double(), batch.actions.double())


def twin_of(model, name):
    twin = SLOW_MODELS[name](model.section, model.dots)
    twin.load_state_dict(as_slow(name, model.state_dict(), TINY["backbone_width_factor"]))
    return twin


def is_smooth(twin, batch):
    frames = batch.states[:1] if "Supervised" in type(twin).__name__ else batch.states
    return distance_to_kinks(twin.encoder, frames.flatten(0, 1).double()) > 3e-6


def smooth_batch(twin, seeds, **shape):
    return next(b for b in (make_batch(seed=s, **shape) for s in seeds) if is_smooth(twin, b))


def relative_error(value, truth):
    return ((value.double() - truth.double()).norm() / truth.double().norm()).item()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("VICReg", {}),
        ("VICReg", {"rnn_layers": 2, "embedding_size": 4}),  # fewer features than sequences
        ("SimCLR", {}),
        ("SimCLR", {"normalize_z": True, "loss_temp": 4.0}),
        ("IDM", {}),
        ("Supervised", {}),
        ("Supervised", {"rnn_layers": 3, "backbone_mlp": 16}),
    ],
)
def test_one_step_equals_the_slow_model_in_float64(name, values):
    model = build(name, dots=2, **values)
    twin = twin_of(model, name).double()
    batch = smooth_batch(twin, range(50), dots=2)
    losses, truths = model.losses(batch, None), twin.losses(as_double(batch))
    assert losses.keys() == truths.keys()
    for key, truth in truths.items():
        assert relative_error(losses[key], truth) < 2e-6, key
    losses["loss"].backward()
    truths["loss"].backward()
    gradients = {key: p.grad for key, p in model.named_parameters()}
    gradients = as_slow(name, gradients, TINY["backbone_width_factor"])
    for key, parameter in twin.named_parameters():
        assert relative_error(gradients[key], parameter.grad) < 1e-5, key


@pytest.mark.parametrize("name", JEPA)
def test_twenty_updates_stay_with_the_slow_model(name):
    """On batches whose gradients do not jump: no value lies so near the 0 of a ReLU."""
    model = build(name, base_lr=10.0)
    twin = twin_of(model, name).double()
    optimisation = model.optimisation(batch_size=6, steps_per_epoch=2, epochs=10)
    slow, rates = SlowLARS(twin.parameters(), lr=0.0), slow_rates(10.0, 6, 2, 10)
    start = torch.cat([p.detach().flatten() for p in twin.parameters()])
    for step in range(20):
        batch = smooth_batch(twin, range(50 * step, 50 * step + 50))
        optimisation.optimizer.param_groups[0]["lr"] = optimisation.schedule(step)
        optimisation.optimizer.zero_grad()
        model.losses(batch, None)["loss"].backward()
        optimisation.optimizer.step()
        slow.lr = rates[step]
        slow.zero_grad()
        twin.losses(as_double(batch))["loss"].backward()
        slow.step()
    ours = as_slow(name, model.state_dict(), TINY["backbone_width_factor"])
    weights = torch.cat([ours[key].flatten() for key, _ in twin.named_parameters()])
    truth = torch.cat([p.detach().flatten() for p in twin.parameters()])
    assert relative_error(weights, truth) < 2e-6
    assert relative_error(start, truth) > 1e-2  # they have moved
    for key, buffer in twin.named_buffers():
        torch.testing.assert_close(ours[key], buffer.to(ours[key]), rtol=1e-5, atol=1e-6)


def test_vicreg_loss_is_the_weighted_sum_of_its_terms():
    names = ("sim", "std", "cov", "action")
    weights = {f"{name}_coeff": 0.5 + i for i, name in enumerate(names)}
    losses = build("VICReg", **weights).losses(make_batch(), None)
    assert set(losses) == {"loss", *names}
    expected = sum(weights[f"{name}_coeff"] * losses[name] for name in names)
    torch.testing.assert_close(losses["loss"], expected)


def test_nothing_is_built_or_computed_whose_coefficient_is_zero():
    model = build("VICReg", cov_coeff=0.0)
    assert set(model.losses(make_batch(), None)) == {"loss", "sim", "std"}
    assert not any("action" in key for key in model.state_dict())


def test_variance_and_covariance_may_include_frame_0():
    from slow_features.losses.vicreg import covariance, variance_hinge

    batch = make_batch()
    for skip in (True, False):
        model = build("VICReg", skip_first_step_vc=skip)
        encodings = model.encode(batch.states)[int(skip) :]
        losses = model.losses(batch, None)
        torch.testing.assert_close(losses["std"], variance_hinge(encodings))
        torch.testing.assert_close(losses["cov"], covariance(encodings))


def test_gradient_flows_into_predictions_and_encodings_alike():
    """No stop-gradient: the error of the last prediction reaches the last frame's encoding."""
    model = build("VICReg", std_coeff=0.0, cov_coeff=0.0)
    batch = make_batch()
    encodings = model.encode(batch.states).detach().requires_grad_()
    predictions = model.predict(encodings[0], batch.actions)
    step = Step(encodings, predictions, batch.actions, None)
    terms = {term.name: term for term in model.terms(step)}
    terms["sim"].compute().backward()
    assert all(grad.abs().sum() > 0 for grad in encodings.grad)


@pytest.mark.parametrize("name", OWN)
def test_rollout_is_the_first_encoding_and_the_predictions(name):
    model = build(name).eval()
    batch = make_batch()
    states = model.rollout(batch.states[:1], batch.actions, None)
    encodings = model.encode(batch.states)
    assert states.shape == (5, 6, 24)
    torch.testing.assert_close(states[0], encodings[0])
    torch.testing.assert_close(states[1:], model.predict(encodings[0], batch.actions))


def test_supervised_reads_the_first_frames_only_and_brings_its_probe():
    model, batch = build("Supervised", dots=3), make_batch(dots=3)
    blind = TimeMajorBatch(batch.states.clone(), batch.locations, batch.actions)
    blind.states[1:] = torch.nan
    loss = model.losses(blind, None)["loss"]
    states = model.rollout(batch.states[:1], batch.actions, None)
    located = model.own_probe(states).view(5, 6, 3, 2)
    torch.testing.assert_close(loss, (located - batch.locations).pow(2).sum(-1).mean())
    assert model.own_probe.bias is None
    assert model.probed_in_training_mode


def test_random_is_frozen():
    model = build("Random")
    assert not MODELS["Random"].trains
    assert not any(p.requires_grad for p in model.parameters())


def test_vicreg_with_nothing_to_train_on_is_refused():
    with pytest.raises(InputError, match=r"sim_coeff = 0.0: every coefficient is 0; allowed: .*"):
        build("VICReg", sim_coeff=0.0, std_coeff=0.0, cov_coeff=0.0)


def test_bfloat16_leaves_losses_and_states_in_float32():
    model, batch = build("VICReg"), make_batch()
    exact = model.losses(batch, None)["loss"]
    model.autocast_dtype = torch.bfloat16
    rounded = model.losses(batch, None)["loss"]
    assert rounded.dtype == torch.float32
    assert exact != rounded
    assert rounded.item() == pytest.approx(exact.item(), rel=3e-2)
    assert model.rollout(batch.states[:1], batch.actions, None).dtype == torch.float32


def test_bfloat16_rounds_the_predictor_too():
    model, batch = build("VICReg"), make_batch()
    encoding = torch.randn(6, TINY["embedding_size"])
    exact = model.predict(encoding, batch.actions)
    model.autocast_dtype = torch.bfloat16
    rounded = model.predict(encoding, batch.actions)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", OWN)
def test_published_sizes_train_one_step(name):
    section_class = MODELS[name].section_class()
    model = MODELS[name].model_class()(section_class(), dots=1)
    batch = make_batch(steps=17, batch=2)
    assert model.rollout(batch.states[:1], batch.actions, None).shape == (17, 2, 512)
    if MODELS[name].trains:
        optimisation = model.optimisation(2, 1, 1)
        loss = model.losses(batch, None)["loss"]
        loss.backward()
        optimisation.optimizer.step()
        assert torch.isfinite(loss)
