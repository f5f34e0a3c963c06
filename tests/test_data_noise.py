"""Noise settings have unambiguous names; uniform noise is uniform, independent and counted."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.config.schema import Experiment
from slow_features.data.counters import frame_keys, split_key
from slow_features.data.distractors import ImageNoise, UniformNoise
from slow_features.data.noise import NoiseSetting
from tests.reference import slow_data

KEY = split_key("train", 1)


def draw(sequences=range(2000), frames=(0,), channels=1, key=KEY):
    """Uniform noise [B, T, C, 784] in float64."""
    keys = frame_keys(key, np.array(sequences), frames, channels)
    out = torch.empty(keys.shape[0] * keys.shape[1], channels, 784)
    one = torch.ones(channels)
    UniformNoise().fill(out, keys.reshape(-1, channels), one, 0 * one)
    return out.view(*keys.shape, 784).double()


def correlation_z(one, other):
    """Correlation of two arrays of uniform noise, in standard deviations from zero."""
    product = (one - 0.5) * (other - 0.5) * 12
    return abs(product.mean().item()) * math.sqrt(product.numel())


# --- settings ---------------------------------------------------------------------------------


def from_config(**values):
    return NoiseSetting.from_config(Experiment(**values))


@pytest.mark.parametrize(
    ("values", "family", "key"),
    [
        ({}, "none", "none"),
        ({"dataset_structured_noise": True}, "none", "none"),
        ({"dataset_static_noise_speed": 2.0}, "none", "none"),
        ({"dataset_noise": 1.5}, "changing_uniform", "changing_uniform-1.5"),
        (
            {"dataset_static_noise": 1.25, "dataset_static_noise_speed": 1.0},
            "fixed_uniform",
            "fixed_uniform-1.25-speed1.0",
        ),
        (
            {"dataset_noise": 0.5, "dataset_structured_noise": True},
            "changing_structured",
            "changing_structured-0.5-photographs",
        ),
        (
            {
                "dataset_noise": 0.5,
                "dataset_static_noise": 2.0,
                "dataset_structured_noise": True,
                "dataset_structured_noise_path": "/somewhere",
            },
            "mixed_structured",
            "mixed_structured-0.5-2.0-cifar10",
        ),
    ],
)
def test_family_and_key_of_a_configuration(values, family, key):
    noise = from_config(**values)
    assert (noise.family, noise.key) == (family, key)
    assert noise.alpha == max(values.get("dataset_noise", 0), values.get("dataset_static_noise", 0))


def test_settings_that_contradict_themselves_are_refused():
    with pytest.raises(ValueError, match="source"):
        NoiseSetting(changing=1.0, structured=True)
    with pytest.raises(ValueError, match="speed"):
        NoiseSetting(changing=1.0, speed=1.0)
    with pytest.raises(ValueError, match="structured"):
        NoiseSetting(structured=True, source="photographs")


# --- counters ---------------------------------------------------------------------------------


def test_keys_and_pixels_equal_a_slow_version_in_python_integers():
    sequences, frames = np.array([0, 7, 123_456_789]), [0, 3, 999]
    keys = frame_keys(KEY, sequences, frames, 3)
    pixels = draw(sequences, frames, 3)
    for i, t, channel in np.ndindex(keys.shape):
        slow = slow_data.frame_key(int(KEY), int(sequences[i]), frames[t] + 1, channel)
        assert int(keys[i, t, channel]) == slow
        expected = slow_data.uniform_frame(slow).ravel()
        np.testing.assert_allclose(pixels[i, t, channel], expected, rtol=0, atol=1e-7)


def test_fixed_noise_has_a_key_of_its_own():
    fixed = frame_keys(KEY, np.array([5]), None, 1)
    assert int(fixed[0, 0, 0]) == slow_data.frame_key(int(KEY), 5, 0, 0)


def test_no_two_frames_share_a_key():
    keys = frame_keys(KEY, np.arange(20_000), range(17), 1)
    fixed = frame_keys(KEY, np.arange(20_000), None, 1)
    together = np.concatenate([keys.ravel(), fixed.ravel()])
    assert len(np.unique(together)) == len(together)


@settings(max_examples=20, deadline=None)
@given(first=st.integers(0, 10**6), frame=st.integers(0, 999), other=st.integers(1, 40))
def test_a_frame_is_the_same_however_many_are_drawn_with_it(first, frame, other):
    alone = draw([first], [frame])
    among = draw(range(first, first + other), [0, frame])
    assert torch.equal(alone[0, 0], among[0, 1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_the_same_bits():
    keys = frame_keys(KEY, np.arange(100), range(17), 1).reshape(-1, 1)
    out = [torch.empty(len(keys), 1, 784, device=device) for device in ("cpu", "cuda")]
    for tensor in out:
        one = torch.ones(1, device=tensor.device)
        UniformNoise().fill(tensor, keys, one, 0 * one)
    assert torch.equal(out[0], out[1].cpu())


# --- statistics of uniform noise --------------------------------------------------------------


def test_mean_variance_and_range_are_those_of_the_uniform_distribution():
    noise = draw()
    count = noise.numel()
    assert abs(noise.mean() - 1 / 2) < 4 * math.sqrt(1 / 12 / count)
    assert abs(noise.var() - 1 / 12) < 4 * math.sqrt(1 / 180 / count)
    assert 0 < noise.min() < 1e-4 and 1 - 1e-4 < noise.max() < 1


def test_every_value_is_equally_frequent():
    """Chi-square of the high and of the low eight bits; both have 255 degrees of freedom."""
    values = (draw() * 65536 - 0.5).round().long().flatten()
    for bits in (values >> 8, values & 255):
        counts = torch.bincount(bits, minlength=256).double()
        expected = values.numel() / 256
        chi_square = ((counts - expected) ** 2 / expected).sum()
        assert abs(chi_square - 255) < 4 * math.sqrt(2 * 255)


def test_distribution_function_is_a_straight_line():
    ordered = draw().flatten().sort().values
    line = (torch.arange(len(ordered)) + 0.5) / len(ordered)
    assert (ordered - line).abs().max() < 1.95 / math.sqrt(len(ordered))


@pytest.mark.parametrize("lag", [1, 2, 3, 28, 29, 392])
def test_neighbouring_pixels_are_independent(lag):
    noise = draw()
    assert correlation_z(noise[..., lag:], noise[..., :-lag]) < 4


def test_frames_sequences_and_channels_are_independent():
    noise = draw(range(500), range(5), 3)
    assert correlation_z(noise[1:], noise[:-1]) < 4
    assert correlation_z(noise[:, 1:], noise[:, :-1]) < 4
    assert correlation_z(noise[:, :, 1:], noise[:, :, :-1]) < 4


def test_correlations_of_all_pairs_of_frames_spread_like_chance():
    noise = draw(range(60), range(17)).view(-1, 784) - 0.5
    noise = noise / noise.norm(dim=1, keepdim=True)
    correlations = (noise @ noise.T)[torch.triu_indices(len(noise), len(noise), 1).unbind()]
    assert correlations.std() * math.sqrt(784) == pytest.approx(1, abs=0.01)
    assert correlations.abs().max() * math.sqrt(784) < 5.5


@pytest.mark.parametrize("split", ["train", "probe", "evaluation"])
def test_seeds_and_splits_are_independent(split):
    other = draw(key=split_key(split, 2))
    assert correlation_z(draw(), other) < 4


def test_only_the_key_of_the_train_split_depends_on_the_seed():
    assert split_key("train", 1) != split_key("train", 2)
    assert split_key("probe", 1) == split_key("probe", 2) != split_key("evaluation", 1)


# --- images -----------------------------------------------------------------------------------


def test_images_are_drawn_uniformly_and_scaled_to_one():
    bank = np.arange(10, dtype=np.uint8).repeat(784).reshape(10, 28, 28) * 25
    keys = frame_keys(KEY, np.arange(5000), [0], 1).reshape(-1, 1)
    out = torch.empty(5000, 1, 784)
    ImageNoise(bank, "cpu").fill(out, keys, torch.ones(1), torch.zeros(1))
    grey = out[:, 0]
    assert torch.equal(grey.amin(1), grey.amax(1))  # each frame is one image of the bank
    counts = torch.bincount((grey[:, 0] * 255 / 25).round().long(), minlength=10).double()
    assert ((counts - 500) ** 2 / 500).sum() < 9 + 4 * math.sqrt(18)
    assert grey.max() == pytest.approx(225 / 255)
