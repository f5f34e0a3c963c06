"""Encoders: frames [N, C, 28, 28] -> embeddings [N, D]."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slow_features.config.sections import ModelSection
from slow_features.data.geometry import PIXELS
from slow_features.errors import InputError
from slow_features.models.batch_norm import BatchNorm2d
from slow_features.models.mlp import layer_sizes, mlp


class ConvEncoder(nn.Module):
    """Convolutions to a small map, then a linear layer to the embedding."""

    def __init__(self, convolutions: nn.Sequential, features: int, embedding_size: int) -> None:
        super().__init__()
        self.convolutions = convolutions
        self.linear = nn.Linear(features, embedding_size)

    def forward(self, frames: Tensor) -> Tensor:
        """Encode frames [N, C, 28, 28] -> [N, D].

        In channels_last memory convolutions are a fifth faster on a CPU, and the map is flattened
        in the order (row, column, channel) that it has in memory.
        """
        maps = self.convolutions(frames.to(memory_format=torch.channels_last))
        return self.linear(maps.permute(0, 2, 3, 1).flatten(1))


def conv_block(channels_in: int, channels_out: int, kernel: int, stride: int) -> nn.Sequential:
    """Build convolution, ReLU, BatchNorm; the ReLU comes before the BatchNorm, as published."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2),
        nn.ReLU(inplace=True),
        BatchNorm2d(channels_out),
    )


def menet5(channels: int, width: int, embedding_size: int) -> nn.Module:
    """Build the paper's encoder: [N, C, 28, 28] -> [N, 32w, 3, 3] -> [N, D]."""
    convolutions = nn.Sequential(
        conv_block(channels, 16 * width, kernel=5, stride=2),  # [N, 16w, 14, 14]
        conv_block(16 * width, 32 * width, kernel=5, stride=2),  # [N, 32w, 7, 7]
        conv_block(32 * width, 32 * width, kernel=3, stride=1),
        nn.AvgPool2d(2),  # [N, 32w, 3, 3]
    )
    return ConvEncoder(convolutions, 9 * 32 * width, embedding_size)


def lenet5(channels: int, width: int, embedding_size: int) -> nn.Module:
    """Build LeNet-5 (LeCun et al. 1998) with ReLU, max pooling and w times its channels."""
    convolutions = nn.Sequential(
        nn.Conv2d(channels, 6 * width, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),  # [N, 6w, 14, 14]
        nn.Conv2d(6 * width, 16 * width, 5),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),  # [N, 16w, 5, 5]
    )
    head = mlp([120, 84, embedding_size])
    return nn.Sequential(ConvEncoder(convolutions, 25 * 16 * width, 120), nn.ReLU(), head)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with BatchNorm beside a short cut (He et al. 2016)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
            BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            BatchNorm2d(channels_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                BatchNorm2d(channels_out),
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Return relu(residual + shortcut): [N, in, H, W] -> [N, out, H / stride, W / stride]."""
        return F.relu(self.residual(maps) + self.shortcut(maps))


def resnet18(channels: int, width: int, embedding_size: int) -> nn.Module:
    """Build ResNet-18 (He et al. 2016) with 32w channels in its first stage: 64 for w = 2."""
    base = 32 * width
    layers: list[nn.Module] = [
        nn.Conv2d(channels, base, 7, 2, padding=3, bias=False),
        BatchNorm2d(base),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, padding=1),  # [N, 32w, 7, 7]
    ]
    size_in = base
    for stage in range(4):
        size = base * 2**stage
        layers.append(ResidualBlock(size_in, size, stride=1 if stage == 0 else 2))
        layers.append(ResidualBlock(size, size, stride=1))
        size_in = size
    layers.append(nn.AdaptiveAvgPool2d(1))
    return ConvEncoder(nn.Sequential(*layers), size_in, embedding_size)


def mlp_encoder(channels: int, width: int, embedding_size: int) -> nn.Module:
    """Build an MLP on the pixels with two hidden layers of 256w."""
    pixels = channels * PIXELS
    return nn.Sequential(nn.Flatten(), *mlp([pixels, 256 * width, 256 * width, embedding_size]))


def identity(channels: int, width: int, embedding_size: int) -> nn.Module:
    """Take the pixels themselves as the embedding; raises InputError if D is not their number."""
    pixels = channels * PIXELS
    if embedding_size != pixels:
        raise InputError(
            f"embedding_size = {embedding_size}: with arch = identity and channels = {channels}, "
            f"allowed: {pixels}, the number of pixels"
        )
    return nn.Flatten()


ENCODERS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "menet5": menet5,
    "resnet18": resnet18,
    "lenet5": lenet5,
    "mlp": mlp_encoder,
    "identity": identity,
}


def build_encoder(section: ModelSection) -> nn.Module:
    """Build the encoder that `section.arch` names, with `backbone_mlp` behind its last layer."""
    size = section.embedding_size
    encoder = ENCODERS[section.arch](section.channels, section.backbone_width_factor, size)
    if section.backbone_mlp is None:
        return encoder
    hidden = layer_sizes(section.backbone_mlp)
    return nn.Sequential(encoder, mlp([size, *hidden, size]))
