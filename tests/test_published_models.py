"""Claim: at the published sizes and settings every model is what was published.

Losses, gradients and weights after five updates of the published optimiser and schedule equal those
of slow references (tests/reference), which are written from what the published code does, in
float64. `docs/fidelity.md` lists what that is.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from slow_features.config.load import load_config
from slow_features.config.sections import RSSMSection, SupervisedSection
from slow_features.data.batch import TimeMajorBatch
from slow_features.errors import InputError
from slow_features.grid.cells import cells_of
from slow_features.models.registry import MODELS
from slow_features.report.cell_tables import cell_cards
from slow_features.report.results import CellResult, Results
from slow_features.report.settings import differences_table
from tests.reference.slow_jepa import SLOW_MODELS, as_slow
from tests.reference.slow_optim import SlowLARS, slow_rates
from tests.reference.slow_rssm import SlowRSSM, rssm_as_slow

FILES = {  # of reproduce_configs: the published best
    "VICReg": "sweep_changing_uniform.(1.5).vicreg",
    "SimCLR": "sweep_changing_uniform.(1.5).simclr",
    "IDM": "sweep_changing_uniform.(1.5).idm",
    "RSSM": "sweep_changing_uniform.(3).rssm",  # min_var 0.1, the largest
    "Supervised": "sweep_fixed_uniform.(1.5).supervised",
    "Supervised, backbone_mlp 64": "sweep_changing_uniform.(1.25).supervised",
}
STEPS, BATCH, UPDATES = 5, 6, 5


def published(name):
    return load_config([f"reproduce_configs/{FILES[name]}.best.yaml"]).config


def build(config):
    """Return the model in float64, its slow twin with the same weights, and what renames them."""
    torch.manual_seed(0)
    model = MODELS[config.model_type].model_class()(config.model, dots=1).double()
    kind = SlowRSSM if config.model_type == "RSSM" else SLOW_MODELS[config.model_type]
    twin, width = kind(config.model).double(), config.model.backbone_width_factor

    def renamed(tensors):
        if config.model_type == "RSSM":
            return rssm_as_slow(dict(tensors), width)
        return as_slow(config.model_type, dict(tensors), width)

    twin.load_state_dict(renamed(model.state_dict()))
    return model, twin, renamed


def make_batch(seed):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    frames = draw(STEPS, BATCH, 1, 28, 28)
    return TimeMajorBatch(frames, draw(STEPS, BATCH, 1, 2), draw(STEPS - 1, BATCH, 2))


def slow_optimiser(config, twin):
    """Return the published optimiser, and the rate of each update (None: constant)."""
    section = config.model
    if config.model_type == "RSSM":
        return torch.optim.Adam(twin.parameters(), lr=section.learning_rate, eps=1e-8), None
    if config.model_type == "Supervised":
        return torch.optim.Adam(twin.parameters(), lr=section.lr), None
    length = config.batch_size, config.steps_per_epoch, section.epochs
    return SlowLARS(twin.parameters(), lr=0.0), slow_rates(section.base_lr, *length)


def relative_error(value, truth):
    return ((value - truth).norm() / truth.norm().clamp(min=1e-30)).item()


@pytest.mark.parametrize("name", FILES)
def test_losses_gradients_and_updates_are_the_published_ones(name):
    config = published(name)
    model, twin, renamed = build(config)
    length = config.batch_size, config.steps_per_epoch, config.model.epochs
    optimisation, (slow, rates) = model.optimisation(*length), slow_optimiser(config, twin)
    start = torch.cat([p.detach().flatten() for p in twin.parameters()])
    for step in range(UPDATES):
        losses, truths = (
            network.losses(make_batch(step), torch.Generator().manual_seed(step))
            for network in (model, twin)
        )
        assert losses.keys() == truths.keys()
        for term, truth in truths.items():
            assert relative_error(losses[term], truth) < 1e-9, term
        for optimiser, loss in ((optimisation.optimizer, losses), (slow, truths)):
            optimiser.zero_grad()
            loss["loss"].backward()
        gradients = renamed((key, p.grad) for key, p in model.named_parameters())
        for key, parameter in twin.named_parameters():
            assert relative_error(gradients[key], parameter.grad) < 1e-7, key
        if rates:
            slow.lr = rates[step]
            optimisation.optimizer.param_groups[0]["lr"] = optimisation.schedule(step)
        for network, optimiser in ((model, optimisation.optimizer), (twin, slow)):
            if optimisation.clip_norm:
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1000.0)
            optimiser.step()
    ours = renamed(model.named_parameters())
    weights = torch.cat([ours[key].flatten() for key, _ in twin.named_parameters()])
    truth = torch.cat([p.flatten() for p in twin.parameters()])
    assert relative_error(weights, truth) < 1e-9
    assert relative_error(start, truth) > 1e-4  # they have moved
    statistics = renamed(model.named_buffers())
    for key, buffer in twin.named_buffers():
        torch.testing.assert_close(statistics[key], buffer, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", FILES)
def test_what_is_probed_is_what_was_published(name):
    model, twin, _ = build(published(name))
    batch = make_batch(0)
    model.train(model.probed_in_training_mode)
    twin.train(model.training)
    with torch.no_grad():
        states = model.rollout(batch.states[:1], batch.actions, torch.Generator().manual_seed(1))
        if isinstance(twin, SlowRSSM):
            generator = torch.Generator().manual_seed(1)
            truth = twin.rollout(batch.states[0], batch.actions, generator)
        else:
            first = twin.encoder(batch.states[0])
            truth = torch.cat([first[None], twin.predict(first, batch.actions)])
    torch.testing.assert_close(states, truth, rtol=1e-9, atol=1e-12)


def test_backbone_mlp_is_the_size_of_the_embedding_the_predictor_and_the_probe():
    config = published("Supervised, backbone_mlp 64")
    assert (config.model.embedding_size, config.model.state_size) == (2, 64)
    model, _, _ = build(config)
    assert [tuple(p.shape) for p in model.encoder[1].parameters()] == [(64, 2)]  # no bias
    assert model.predictor.hidden_size == 64
    assert model.own_probe.weight.shape == (2, 64)
    batch = make_batch(0)
    assert model.rollout(batch.states[:1], batch.actions, None).shape == (STEPS, BATCH, 64)


def test_backbone_mlp_id_is_no_layer():
    without, named = (build_tiny(backbone_mlp=value) for value in (None, "id"))
    assert named.section.state_size == 8
    for one, other in zip(without.parameters(), named.parameters(), strict=True):
        assert torch.equal(one, other)


def build_tiny(**values):
    torch.manual_seed(0)
    section = SupervisedSection(backbone_width_factor=1, embedding_size=8, **values)
    return MODELS["Supervised"].model_class()(section, dots=1)


@pytest.mark.parametrize(("value", "said"), [("'64'", True), ("64", True), ("512", False)])
def test_an_embedding_of_another_size_than_embedding_size_is_said(value, said):
    """In the log, and in the pages about one experiment and about the cells of a grid."""
    values = ["model_type=Supervised", f"supervised.backbone_mlp={value}"]
    loaded = load_config([], values)
    (cell, *_) = cells_of("quick", "changing_uniform", "Supervised")
    cell = replace(cell, config=loaded.config)
    (card,) = cell_cards(Results("paper", [CellResult(cell, None)]))
    for texts in (
        loaded.notices,
        [differences_table(loaded.config).caption],
        dict(card.facts).values(),
    ):
        assert any("size 64" in t and "embedding_size = 512" in t for t in texts) == said


@pytest.mark.parametrize("model_type", ["vicreg", "rssm"])
def test_a_coefficient_that_the_published_code_ignores_is_accepted_and_said_to_be(model_type):
    key = {"vicreg": "vicreg.prediction_diff_coeff", "rssm": "rssm.action_coeff"}[model_type]
    loaded = load_config([], [f"{key}=3.5"])
    assert loaded.config == load_config([]).config
    (notice,) = loaded.notices
    assert key in notice
    assert "the published code ignores it" in notice


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("projector=512-512-512", "only 'id'"),
        ("random_projector=true", "only False"),
        ("repr_loss_after_projector=true", "only False"),
        ("decoding_coeff=0.1", "only 0"),
        ("encoding_std_coeff=1", "only 0"),
        ("rnn_burnin=2", "only 1"),
        ("arch=resnet18", "only 'menet5'"),
        ("predictor=515-512-512", "only 'rnn'"),
        ("backbone_mlp=512-512", "'id' or a whole number"),
    ],
)
def test_what_no_published_file_uses_is_refused(value, allowed):
    with pytest.raises(InputError) as error:
        load_config([], [f"vicreg.{value}"])
    assert value.partition("=")[0] in str(error.value)
    assert f"allowed: {allowed}" in str(error.value)


def test_the_prior_of_frame_0_is_the_only_one_without_min_var():
    """In training; in evaluation no scale has it. Samples are mean + scale * noise."""
    first = {}
    for min_var in (0.0, 100.0):
        torch.manual_seed(0)
        section = RSSMSection(backbone_width_factor=1, embedding_size=8, min_var=min_var)
        model, batch = MODELS["RSSM"].model_class()(section, dots=1).double(), make_batch(0)
        seen = []
        model.decoder.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
        model.losses(batch, torch.Generator().manual_seed(0))
        model.eval().losses(batch, torch.Generator().manual_seed(0))
        in_training, in_evaluation = (states.view(STEPS, BATCH, 16)[..., :8] for states in seen)
        first[min_var] = in_training[0], in_evaluation
        assert (in_training[1:].std() > 50) == (min_var > 0)
    for one, other in zip(first[0.0], first[100.0], strict=True):
        torch.testing.assert_close(one, other)


def test_no_convolution_of_the_decoder_has_a_bias():
    model, _, _ = build(published("RSSM"))
    convolutions = [m for m in model.decoder.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 3
    assert all(layer.bias is None for layer in convolutions)
