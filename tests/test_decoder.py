"""The decoder in its fast form computes what upsampling, convolving and looping over time would.

Kernels and layers are compared with nn.Upsample and nn.Conv2d on random sizes; the whole decoder,
on all time steps at once, with a plain one that is called once per step (tests/reference).
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.models.decoder import Decoder
from slow_features.models.upsampled_conv import (
    SubpixelConv2d,
    UpsampledConv2d,
    transposed_kernel,
)
from tests.reference.slow_rssm import SlowDecoder, decoder_as_slow

SIZE, WIDTH = 12, 1
LAYERS = (UpsampledConv2d, SubpixelConv2d)


def plain(layer, maps):
    """Upsample, then convolve, as the layer is defined."""
    upsampled = F.interpolate(maps, scale_factor=layer.factor, mode="nearest")
    return F.conv2d(upsampled, layer.weight, padding=layer.factor - 1)


@settings(max_examples=25, deadline=None)
@given(
    layer_class=st.sampled_from(LAYERS),
    factor=st.integers(1, 4),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    height=st.integers(1, 4),
    width=st.integers(1, 4),
)
def test_layer_equals_upsampling_and_convolving(layer_class, factor, channels, height, width):
    torch.manual_seed(0)
    layer = layer_class(*channels, factor).double()
    maps = torch.randn(2, channels[0], height, width, dtype=torch.float64, requires_grad=True)
    inputs = [maps, layer.weight]
    ours, truth = layer(maps), plain(layer, maps)
    torch.testing.assert_close(ours, truth, rtol=0, atol=1e-12)
    upstream = torch.randn_like(truth)
    ours, truth = (torch.autograd.grad(out, inputs, upstream) for out in (ours, truth))
    torch.testing.assert_close(ours, truth, rtol=0, atol=1e-11)


def test_transposed_kernel_in_one_dimension():
    """The docstring's example, (w2, w1 + w2, w0 + w1, w0), as the columns of a 2-D kernel."""
    weight = torch.tensor([[0.0, 0, 0], [1, 10, 100], [0, 0, 0]])[None, None]
    row = torch.tensor([100.0, 110, 11, 1])
    expected = torch.outer(torch.tensor([0.0, 1, 1, 0]), row)
    torch.testing.assert_close(transposed_kernel(weight)[0, 0], expected)


def build(dtype=torch.float64, channels=1):
    torch.manual_seed(0)
    decoder = Decoder(SIZE, channels, WIDTH).to(dtype)
    for norm in (decoder.norm1, decoder.norm2):  # at 1 and 0 they would hide a mistake
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
    slow = SlowDecoder(SIZE, channels, WIDTH).to(dtype)
    slow.load_state_dict(decoder_as_slow(decoder.state_dict(), WIDTH))
    return decoder, slow


def relative_error(value, truth):
    return ((value - truth).norm() / truth.norm()).item()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-11)])
@pytest.mark.parametrize("channels", [1, 3])
def test_all_steps_at_once_equal_one_call_per_step(dtype, tolerance, channels):
    """Frames, gradients, running statistics and the count of updates."""
    decoder, slow = build(dtype, channels)
    states = torch.randn(5, 4, SIZE, dtype=dtype)  # [T, B, S]
    frames = torch.randn(5, 4, channels, 28, 28, dtype=dtype)

    ours = decoder(states.flatten(0, 1), steps=5).view_as(frames)
    truth = torch.stack([slow(step) for step in states])
    assert relative_error(ours, truth) < tolerance
    for decoded in (ours, truth):
        (decoded - frames).square().mean().backward()

    gradients = {name: p.grad for name, p in decoder.named_parameters()}
    gradients = decoder_as_slow(gradients, WIDTH)
    for name, parameter in slow.named_parameters():
        assert relative_error(gradients[name], parameter.grad) < tolerance, name
    statistics = decoder_as_slow(dict(decoder.named_buffers()), WIDTH)
    for name, value in slow.named_buffers():
        assert relative_error(statistics[name].to(dtype), value.to(dtype)) < tolerance, name
    assert decoder.norm1.num_batches_tracked == 5


def test_one_step_is_one_batch_and_not_the_same_as_several():
    """Statistics over all rows differ from those of each time step: `steps` is not decoration."""
    decoder, slow = build()
    states = torch.randn(12, SIZE, dtype=torch.float64)
    together = decoder(states)
    torch.testing.assert_close(together, slow(states), rtol=0, atol=1e-10)
    assert relative_error(decoder(states, steps=3), together) > 0.01


def test_evaluation_looks_at_no_other_row():
    decoder, slow = build()
    states = torch.randn(6, SIZE, dtype=torch.float64)
    decoder(states, steps=2), slow(states[:3]), slow(states[3:])  # moves running statistics
    decoder.eval(), slow.eval()
    torch.testing.assert_close(decoder(states, steps=2), slow(states), rtol=0, atol=1e-10)
    torch.testing.assert_close(decoder(states[:1]), decoder(states)[:1], rtol=0, atol=1e-10)


def test_bfloat16_stays_near_float32():
    decoder, _ = build(torch.float32)
    states = torch.randn(3 * 8, SIZE)
    exact = decoder(states, steps=3)
    with torch.autocast("cpu", torch.bfloat16):
        rough = decoder(states, steps=3)
    assert relative_error(rough.float(), exact) < 0.03
