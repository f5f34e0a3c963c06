"""The remedies' losses against slow formulas, and what each of them can and cannot see."""

from __future__ import annotations

import math

import pytest
import torch

from slow_features.config.sections import SimCLRSection, VICRegSection
from slow_features.data.batch import TimeMajorBatch
from slow_features.errors import InputError
from slow_features.losses.sigreg import sigreg
from slow_features.losses.simclr import other_actions_loss, within_sequence_loss
from slow_features.losses.vicreg import covariance, variance_hinge
from slow_features.models.jepa import Step
from slow_features.models.simclr import SimCLR
from slow_features.models.vicreg import VICReg
from tests.reference.slow_jepa import (
    contrastive_by_loops,
    covariance_by_loops,
    variance_hinge_by_loops,
)

TINY = {"embedding_size": 6, "backbone_width_factor": 1}


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("normalize", [False, True])
def test_within_a_sequence_the_times_are_told_apart(normalize):
    """Each sequence by itself: its times take the place of the batch."""
    predictions, encodings = draw(5, 3, 4), draw(5, 3, 4, seed=1)
    found = within_sequence_loss(predictions, encodings, 0.5, normalize)
    alone = [
        contrastive_by_loops(
            predictions[:, b].unsqueeze(0), encodings[:, b].unsqueeze(0), 0.5, normalize
        )
        for b in range(3)
    ]
    assert found.item() == pytest.approx(sum(alone) / 3, rel=1e-9)


def test_what_is_constant_in_a_sequence_is_worth_nothing_within_it():
    """Encodings of the noise alone: at chance, ln of the 2 (T - 1) - 1 candidates."""
    noise = draw(1, 3, 4).expand(16, 3, 4)
    found = within_sequence_loss(noise, noise, 0.1, True)
    assert found.item() == pytest.approx(math.log(31), rel=1e-9)


def values_of(step, **section):
    """Return the terms of a SimCLR without its networks' part: name -> (weight, value)."""
    model = SimCLR(SimCLRSection(**{**TINY, "embedding_size": 4}, loss_temp=0.5, **section), 1)
    return {t.name: (t.coefficient, t.compute().item()) for t in model.terms(step) if t.coefficient}


@pytest.mark.parametrize(("share", "first", "rest"), [(1.0, 4, 0), (0.5, 2, 2), (0.3, 1, 1)])
def test_the_published_loss_beside_other_negatives_sees_its_share_of_the_features(
    share, first, rest
):
    encodings, predictions = draw(6, 3, 4, seed=1), draw(5, 3, 4)
    step = Step(encodings, predictions, draw(5, 3, 2), seeded())
    found = values_of(step, negatives="within", across_coeff=0.1, across_share=share)
    targets = encodings[1:]
    across = contrastive_by_loops(predictions[..., :first], targets[..., :first], 0.5, False)
    of_sequences = (predictions[..., rest:].transpose(0, 1), targets[..., rest:].transpose(0, 1))
    within = contrastive_by_loops(*of_sequences, 0.5, False)
    assert found["across"] == pytest.approx((0.1, across), rel=1e-6)
    assert found["contrastive"] == pytest.approx((1.0, within), rel=1e-6)


def test_the_published_loss_alone_is_not_doubled():
    step = Step(draw(6, 3, 4, seed=1), draw(5, 3, 4), draw(5, 3, 2), seeded())
    published = values_of(step)
    assert values_of(step, across_coeff=0.1, across_share=0.5) == published
    assert set(published) == {"contrastive"}


def test_one_number_cannot_be_shared():
    section = SimCLRSection(embedding_size=1, negatives="within", across_coeff=1, across_share=0.5)
    with pytest.raises(InputError, match=r"across_share = 0\.5: .* allowed: 1$"):
        SimCLR(section, 1)


@pytest.mark.parametrize("normalize", [False, True])
def test_other_actions_equal_their_formula(normalize):
    predictions, encodings, others = draw(4, 3, 5), draw(4, 3, 5, seed=1), draw(2, 4, 3, 5, seed=2)
    found = other_actions_loss(predictions, others, encodings, 0.5, normalize)
    total = 0.0
    for t in range(4):
        for b in range(3):
            candidates = [predictions[t, b], others[0, t, b], others[1, t, b]]
            e = encodings[t, b]
            if normalize:
                candidates = [v / v.norm() for v in candidates]
                e = e / e.norm()
            scores = [float(v @ e) / 0.5 for v in candidates]
            total += math.log(sum(map(math.exp, scores))) - scores[0]
    assert found.item() == pytest.approx(total / 12, rel=1e-9)


def test_the_other_actions_are_those_of_the_next_sequences():
    """The same start, rolled out under each of them, as the predictor itself would."""
    model = SimCLR(SimCLRSection(**TINY, negatives="actions", other_actions=2), 1).double()
    encodings, actions = draw(5, 4, 6), draw(4, 4, 2, seed=1)
    step = Step(encodings, model.predict(encodings[0], actions), actions, seeded())
    found = model._elsewhere(step)
    for k in (1, 2):
        for b in range(4):
            other = actions[:, (b + k) % 4 : (b + k) % 4 + 1]
            expected = model.predict(encodings[0, b : b + 1], other)[:, 0]
            torch.testing.assert_close(found[k - 1, :, b], expected)


def test_the_hinge_and_the_covariance_over_time_are_those_of_each_sequence():
    encodings = 0.5 * draw(7, 3, 4)
    section = VICRegSection(**TINY, time_std_coeff=1.0, time_cov_coeff=1.0)
    terms = VICReg(section, 1).terms(Step(encodings, encodings[1:], draw(6, 3, 2), seeded()))
    values = {term.name: term.compute().item() for term in terms if term.name.startswith("time")}
    alone = [encodings[:, b : b + 1].transpose(0, 1) for b in range(3)]  # [1, T, D] each
    std = sum(variance_hinge_by_loops(one) for one in alone) / 3
    cov = sum(covariance_by_loops(one) for one in alone) / 3
    assert values == pytest.approx({"time_std": std, "time_cov": cov}, rel=1e-9)
    still = encodings[:1].expand(7, 3, 4)
    assert variance_hinge(still.transpose(0, 1)).item() == pytest.approx(0.99)
    assert covariance(still.transpose(0, 1)).item() == pytest.approx(0.0, abs=1e-12)


def slow_sigreg(embeddings, generator):
    """The Epps-Pulley statistic by complex exponentials, direction by direction."""
    steps, batch, size = embeddings.shape
    directions = torch.randn(size, 256, generator=generator)
    directions = (directions / directions.norm(dim=0)).double()
    t = torch.arange(17, dtype=torch.float64) * 3 / 16
    total = 0.0
    for step in embeddings:
        for a in directions.T:
            x = step @ a
            phi = torch.exp(1j * x[:, None] * t).mean(0)
            values = (phi - torch.exp(-(t**2) / 2)).abs() ** 2 * torch.exp(-(t**2) / 2)
            total += 2 * batch * (3 / 16) * (values.sum() - (values[0] + values[-1]) / 2).item()
    return total / (steps * 256)


def test_sigreg_equals_its_formula():
    embeddings = draw(2, 6, 4)
    found = sigreg(embeddings, seeded(3)).item()
    assert found == pytest.approx(slow_sigreg(embeddings, seeded(3)), rel=1e-6)


def test_sigreg_is_small_for_a_normal_distribution_and_large_for_others():
    normal = draw(1, 4000, 8)
    small = sigreg(normal, seeded()).item()
    for other in (normal * 0, normal * 3, normal + 1, torch.sign(normal) * normal[..., :1]):
        assert sigreg(other, seeded()).item() > 20 * small


def batch_of(noise, seed=0):
    """A batch of 6 frames whose dots move and whose noise is fixed within a sequence."""
    frames = draw(6, 4, 1, 28, 28, seed=seed) + noise * draw(1, 4, 1, 28, 28, seed=9)
    return TimeMajorBatch(frames.float(), draw(6, 4, 1, 2).float(), draw(5, 4, 2).float())


def test_differences_of_frames_do_not_see_fixed_noise():
    """The same encodings with and without it; the rollout reads the first two frames alone."""
    model = VICReg(VICRegSection(**TINY, frame_differences=True), 1).eval()
    assert model.first_frames == 2
    clean, noisy = batch_of(0.0).states, batch_of(5.0).states
    torch.testing.assert_close(
        model.encode_sequence(clean), model.encode_sequence(noisy), rtol=0, atol=1e-4
    )
    torch.testing.assert_close(
        model.encode_sequence(clean)[3], model.encode(clean[3] - clean[2]), rtol=0, atol=1e-5
    )
    actions = batch_of(0.0).actions
    states = model.rollout(clean[:2], actions, seeded())
    assert states.shape == (6, 4, 6)
    torch.testing.assert_close(states[0], model.encode(clean[1] - clean[0]), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "section"),
    [
        (SimCLR, SimCLRSection(**TINY, negatives="within", action_coeff=1.0)),
        (SimCLR, SimCLRSection(**TINY, negatives="actions", normalize_z=True)),
        (SimCLR, SimCLRSection(**TINY, negatives="within", across_coeff=0.1, across_share=0.5)),
        (VICReg, VICRegSection(**TINY, time_std_coeff=1.0, sigreg_coeff=1.0)),
        (VICReg, VICRegSection(**TINY, frame_differences=True)),
    ],
)
def test_every_remedy_trains_the_encoder_and_is_repeatable(model, section):
    torch.manual_seed(0)
    built = model(section, 1)
    losses = [built.losses(batch_of(1.0), seeded(5))["loss"] for _ in range(2)]
    assert losses[0].item() == losses[1].item()
    losses[0].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in built.encoder.parameters())
