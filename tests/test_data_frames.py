"""Frames are dot + alpha_fixed * F * m + alpha_changing * C * m, normalised, as specified."""

import numpy as np
import pytest
import torch

from slow_features.data.counters import split_key
from slow_features.data.frames import FrameMaker
from slow_features.data.geometry import bounds
from slow_features.data.noise import NoiseSetting
from slow_features.data.render import peak
from slow_features.data.statistics import PixelStatistics, measure
from slow_features.data.trajectories import roll_out, sample
from tests.reference import slow_data

SIGMA = 1.3
KEY = split_key("train", 1)
BANK = np.random.default_rng(0).integers(0, 256, (7, 28, 28), dtype=np.uint8)
SETTINGS = [
    NoiseSetting(),
    NoiseSetting(changing=1.5),
    NoiseSetting(fixed=1.25),
    NoiseSetting(fixed=1.25, speed=1.6),
    NoiseSetting(changing=0.5, fixed=2.0),
    NoiseSetting(changing=0.5, fixed=2.0, speed=3.0),
]
IMAGES = NoiseSetting(changing=0.5, fixed=1.0, structured=True, source="photographs", speed=2.0)
LAYOUTS = [(1, 1), (3, 3), (3, 1)]  # dots, channels


def locations_of(dots, begin=0, end=3, n_steps=4):
    drawn = sample("train", 1, dots, SIGMA, n_steps, begin, end)
    return roll_out(*drawn, *bounds(SIGMA))


def maker(noise, dots, channels=None, statistics=None):
    statistics = statistics or PixelStatistics.identity(dots)
    bank = BANK if noise.structured else None
    return FrameMaker(KEY, noise, SIGMA, statistics, channels or dots, bank=bank)


def slow_noise(noise, sequence, slot, dot):
    """F or C of one dot's frame [28, 28], from its key, in Python integers."""
    key = slow_data.frame_key(int(KEY), sequence, slot, dot)
    if noise.structured:
        return BANK[((key >> 32) * len(BANK)) >> 32] / 255
    return slow_data.uniform_frame(key)


@pytest.mark.parametrize(("dots", "channels"), LAYOUTS)
@pytest.mark.parametrize("noise", [*SETTINGS, IMAGES], ids=lambda noise: noise.key)
def test_frames_equal_the_formula_pixel_by_pixel(noise, dots, channels):
    first, locations = 5, locations_of(dots, 5, 7, n_steps=3)
    statistics = PixelStatistics(mean=(0.05, 0.01, 0.02)[:dots], std=(0.1, 0.2, 0.3)[:dots])
    frames = maker(noise, dots, channels, statistics).frames(locations, first)
    assert frames.shape == (2, 3, channels, 28, 28) and frames.dtype == torch.float32
    places = list(np.ndindex(2, 3))
    clean = {place: slow_data.clean_frame(locations[place], SIGMA, dots) for place in places}
    m = max(clean[place].max() for place in places)
    for i, t in places:
        layers = []
        for dot in range(dots):
            fixed = slow_noise(noise, first + i, 0, dot)
            changing = slow_noise(noise, first + i, t + 1, dot)
            layers.append(slow_data.noisy_frame(clean[i, t][dot], fixed, changing, t, noise, m))
        expected = slow_data.whole_frame(layers, statistics, channels)
        np.testing.assert_allclose(frames[i, t], expected, rtol=0, atol=3e-6 * dots)


@pytest.mark.parametrize("noise", [*SETTINGS, IMAGES], ids=lambda noise: noise.key)
def test_one_channel_is_the_sum_of_three(noise):
    locations, statistics = locations_of(3), PixelStatistics((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    summed = maker(noise, 3, 1, statistics).frames(locations, 0)
    apart = maker(noise, 3, 3, statistics).frames(locations, 0)
    assert torch.equal(summed, apart.sum(2, keepdim=True))


@pytest.mark.parametrize("noise", [*SETTINGS, IMAGES], ids=lambda noise: noise.key)
@pytest.mark.parametrize(("dots", "channels"), LAYOUTS)
def test_the_first_frames_alone_are_those_of_the_batch_to_the_bit(noise, dots, channels):
    locations = locations_of(dots, n_steps=17)
    frames = maker(noise, dots, channels)
    whole = frames.frames(locations, 0)
    for count in (1, 2, 5):
        assert torch.equal(frames.frames(locations, 0, count), whole[:, :count])


@pytest.mark.parametrize("noise", [*SETTINGS, IMAGES], ids=lambda noise: noise.key)
def test_frames_are_the_same_however_many_are_finished_together(noise, monkeypatch):
    locations = locations_of(3)
    whole = maker(noise, 3).frames(locations, 0)
    monkeypatch.setattr("slow_features.data.frames._IMAGES_AT_ONCE", 1)
    assert torch.equal(maker(noise, 3).frames(locations, 0), whole)


def background(noise, dots=1):
    """Noise alone, divided by m: frames minus clean frames, of three sequences."""
    locations = locations_of(dots)
    noisy = maker(noise, dots).frames(locations, 0)
    clean = maker(NoiseSetting(), dots).frames(locations, 0)
    return (noisy - clean) / peak(locations, SIGMA)


def test_fixed_noise_is_equal_over_frames_and_changing_noise_is_not():
    fixed, changing = background(NoiseSetting(fixed=1.0)), background(NoiseSetting(changing=1.0))
    torch.testing.assert_close(fixed[:, 1:], fixed[:, :-1], rtol=0, atol=1e-5)
    assert (changing[:, 1:] - changing[:, :-1]).abs().mean() > 0.3  # of independent U: 1 / 3


def test_moving_noise_goes_to_the_right_and_comes_back_on_the_left():
    moving = background(NoiseSetting(fixed=1.0, speed=1.5))
    for step, shift in enumerate((0, 1, 3, 4)):
        expected = torch.roll(moving[:, 0], shift, dims=-1)
        torch.testing.assert_close(moving[:, step], expected, rtol=0, atol=1e-5)


def test_each_channel_has_noise_of_its_own():
    noise = background(NoiseSetting(fixed=1.0), dots=3)[:, 0]
    flat = noise.transpose(0, 1).reshape(3, -1)
    assert torch.corrcoef(flat).triu(1).abs().max() < 4 / flat.shape[1] ** 0.5


def test_a_sequence_does_not_depend_on_its_batch_apart_from_m():
    def noise_of(begin, end):
        locations = locations_of(1, begin, end)
        frames = maker(NoiseSetting(changing=1.0), 1).frames(locations, begin)
        clean = maker(NoiseSetting(), 1).frames(locations, begin)
        return (frames - clean) / peak(locations, SIGMA)

    alone, among = noise_of(6, 7), noise_of(0, 40)[6:7]
    torch.testing.assert_close(alone, among, rtol=0, atol=1e-5)


def test_statistics_are_those_of_all_pixels_together():
    generator = torch.Generator().manual_seed(0)
    batches = [torch.rand(4, 3, 2, 28, 28, generator=generator) * k for k in (1, 2, 5)]
    measured = measure(iter(batches))
    pixels = torch.stack(batches).double()
    for channel in range(2):
        values = pixels[:, :, :, channel]
        assert measured.mean[channel] == pytest.approx(values.mean().item(), rel=1e-5)
        assert measured.std[channel] == pytest.approx(values.std(correction=0).item(), rel=1e-5)


def test_straightforward_baseline_is_the_same_computation():
    """The baseline of the benchmark gives our frames where no random numbers are involved."""
    locations = locations_of(3)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    plain = slow_data.straightforward_batch(
        torch.from_numpy(locations), SIGMA, 0, 0, mean, std, torch.Generator()
    )
    ours = maker(NoiseSetting(), 3, 3, PixelStatistics(mean, std)).frames(locations, 0)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-6)
