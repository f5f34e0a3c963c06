"""A rendered dot is the Gaussian density; the largest pixel is known without rendering."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.data.geometry import bounds
from slow_features.data.render import add_dots, peak
from tests.reference import slow_data


def locations_of(dots, sigma, batch=2, steps=3, seed=0):
    low, high = bounds(sigma)
    drawn = np.random.default_rng(seed).uniform(low, high, (batch, steps, dots, 2))
    return drawn.astype(np.float32)


def render(locations, sigma):
    """Clean frames [B, T, dots, 28, 28], float32."""
    frames = torch.zeros(*locations.shape[:3], 28, 28)
    add_dots(frames, locations, sigma, torch.ones(locations.shape[2]))
    return frames


@pytest.mark.parametrize("sigma", [0.25, 1.3, 6.0])
@pytest.mark.parametrize("dots", [1, 3])
def test_frames_equal_the_density_in_float64(sigma, dots):
    locations = locations_of(dots, sigma)
    frames = render(torch.from_numpy(locations), sigma)
    for sequence, step in np.ndindex(2, 3):
        slow = slow_data.clean_frame(locations[sequence, step], sigma, dots)
        largest = slow.max()
        np.testing.assert_allclose(frames[sequence, step], slow, rtol=0, atol=2e-6 * largest)


def test_x_is_the_column_and_y_the_row_from_the_top_left():
    frame = render(torch.tensor([[[[20.0, 5.0]]]]), 1.3)[0, 0, 0]
    assert divmod(int(frame.argmax()), 28) == (5, 20)


def test_a_dot_sums_to_one_inside_the_image():
    frame = render(torch.tensor([[[[13.2, 14.1]]]]), 1.3)
    assert frame.sum().item() == pytest.approx(1, abs=1e-4)


def test_no_pixel_is_subnormal():
    """Subnormal numbers are slow on many processors."""
    frames = render(torch.from_numpy(locations_of(1, 1.3)), 1.3)
    assert frames.min() > torch.finfo(torch.float32).tiny


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    batch=st.integers(1, 4),
    sigma=st.floats(0.25, 6.0),
    dots=st.sampled_from([1, 3]),
)
def test_peak_is_the_largest_pixel_of_the_rendered_batch(seed, batch, sigma, dots):
    locations = locations_of(dots, sigma, batch, steps=2, seed=seed)
    largest = render(torch.from_numpy(locations), sigma).max().item()
    assert peak(locations, sigma) == pytest.approx(largest, rel=2e-5)


def test_dots_are_scaled_by_channel_and_added_to_what_is_there():
    locations = torch.from_numpy(locations_of(3, 1.3))
    frames = torch.ones(2, 3, 3, 28, 28)
    scale = torch.tensor([1.0, 2.0, -3.0])
    add_dots(frames, locations, 1.3, scale)
    expected = 1 + render(locations, 1.3) * scale[:, None, None]
    torch.testing.assert_close(frames, expected)
