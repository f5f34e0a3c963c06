"""The encoder: shapes, MeNet5 against a plain stack of layers, BatchNorm's accuracy.

The claim that matters: in float32 on a CPU, output, gradients and running statistics of the
channels_last form are those of the same layers in float64, up to float32 rounding.
"""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from slow_features.config.sections import ModelSection
from slow_features.models.batch_norm import BatchNorm2d
from slow_features.models.encoders import build_encoder
from tests.reference.slow_jepa import as_slow, distance_to_kinks, sequential_encoder


def relative_error(value, truth):
    return ((value.double() - truth.double()).norm() / truth.double().norm()).item()


def section(**values):
    return ModelSection(**{"backbone_width_factor": 1, "embedding_size": 32, **values})


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("backbone_mlp", [None, 5])
def test_frames_are_mapped_to_embeddings_and_every_layer_learns(backbone_mlp, channels):
    encoder = build_encoder(section(channels=channels, backbone_mlp=backbone_mlp))
    embeddings = encoder(torch.randn(3, channels, 28, 28))
    assert embeddings.shape == (3, backbone_mlp or 32)
    embeddings.square().sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_menet5_has_the_published_sizes():
    encoder = build_encoder(ModelSection())
    convolutions = [layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert [tuple(layer.weight.shape) for layer in convolutions] == [
        (32, 1, 5, 5),
        (64, 32, 5, 5),
        (64, 64, 3, 3),
    ]
    assert encoder.linear.weight.shape == (512, 576)


def slow_twin(encoder):
    """The plain float64 stack of layers with the same weights."""
    twin = sequential_encoder(channels=1, width=1, size=32)
    weights = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
    renamed = as_slow("", weights, width=1)
    twin.load_state_dict({key.removeprefix("encoder."): v for key, v in renamed.items()})
    return twin.double()


def smooth_frames(twin):
    """Random frames [24, 1, 28, 28] on which float32 and float64 gradients may be compared."""
    draws = (torch.randn(24, 1, 28, 28) for _ in range(50))
    return next(frames for frames in draws if distance_to_kinks(twin, frames.double()) > 3e-6)


def test_menet5_equals_a_plain_stack_of_layers_in_float64():
    torch.manual_seed(0)
    encoder = build_encoder(section())
    twin = slow_twin(encoder)
    for _ in range(2):  # the second pass starts from moved running statistics
        frames, grad = smooth_frames(twin), torch.randn(24, 32)
        embeddings, truth = encoder(frames), twin(frames.double())
        assert relative_error(embeddings, truth) < 2e-6
        encoder.zero_grad()
        twin.zero_grad()
        embeddings.backward(grad)
        truth.backward(grad.double())
    gradients = {f"encoder.{name}": p.grad for name, p in encoder.named_parameters()}
    gradients = as_slow("", gradients, width=1)
    for name, parameter in twin.named_parameters():
        assert relative_error(gradients[f"encoder.{name}"], parameter.grad) < 1e-5, name

    buffers = {f"encoder.{name}": b for name, b in encoder.named_buffers()}
    buffers = as_slow("", buffers, width=1)
    for name, buffer in twin.named_buffers():
        torch.testing.assert_close(
            buffers[f"encoder.{name}"].double(), buffer.double(), rtol=1e-5, atol=1e-6
        )
    frames = torch.randn(5, 1, 28, 28)
    assert relative_error(encoder.eval()(frames), twin.eval()(frames.double())) < 2e-6


def test_batch_norm_is_differentiated_exactly():
    torch.manual_seed(0)
    norm = BatchNorm2d(3).double()
    nn.init.uniform_(norm.weight, 0.5, 2.0)
    maps = torch.randn(2, 3, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, w, b: torch.func.functional_call(norm, {"weight": w, "bias": b}, (x,)),
        (maps, norm.weight, norm.bias),
    )


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_batch_norm_stays_accurate_over_many_rows(offset):
    """The sums run over 100,000 rows; one after the other in float32 they would lose 3 digits."""
    torch.manual_seed(0)
    maps = (torch.randn(512, 4, 14, 14) + offset).to(memory_format=torch.channels_last)
    grad = torch.randn_like(maps) + 0.5
    norm = BatchNorm2d(4)
    truth = copy.deepcopy(nn.BatchNorm2d(4)).double()
    x, y = maps.clone().requires_grad_(), maps.double().requires_grad_()
    out, true_out = norm(x), truth(y)
    out.backward(grad)
    true_out.backward(grad.double())
    tolerance = 1e-6 * (1 + offset)  # the input itself is only known to offset * 6e-8
    assert relative_error(out, true_out) < tolerance
    assert relative_error(x.grad, y.grad) < tolerance
    assert relative_error(norm.weight.grad, truth.weight.grad) < 100 * tolerance
    assert relative_error(norm.bias.grad, truth.bias.grad) < 1e-6
    assert relative_error(norm.running_var, truth.running_var) < 1e-6


def test_encoder_output_does_not_depend_on_the_memory_layout_of_frames():
    torch.manual_seed(0)
    encoder = build_encoder(section(channels=3))
    frames = torch.randn(4, 3, 28, 28)
    last = encoder(frames.to(memory_format=torch.channels_last))
    torch.testing.assert_close(encoder(frames), last, rtol=0, atol=0)


def test_weights_are_contiguous_as_a_safetensors_file_wants_them():
    encoder = build_encoder(section())
    encoder(torch.randn(2, 1, 28, 28)).sum().backward()
    assert all(p.is_contiguous() and p.grad.is_contiguous() for p in encoder.parameters())


def test_bfloat16_differs_by_its_rounding_only():
    torch.manual_seed(0)
    encoder = build_encoder(section())
    frames = torch.randn(16, 1, 28, 28)
    exact = encoder(frames)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = encoder(frames)
    assert 1e-4 < relative_error(rounded, exact) < 3e-2


@pytest.mark.parametrize("sizes", [{}, {"backbone_mlp": 24}], ids=["embedding", "backbone_mlp"])
def test_embeddings_are_not_rounded_to_bfloat16(sizes):
    encoder = build_encoder(section(**sizes))
    with torch.autocast("cpu", torch.bfloat16):
        embeddings = encoder(torch.randn(16, 1, 28, 28))
    assert embeddings.dtype == torch.float32
    assert not torch.equal(embeddings, embeddings.bfloat16().float())
