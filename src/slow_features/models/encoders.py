"""The paper's encoder, MeNet5: frames [N, C, 28, 28] -> embeddings [N, D]."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from slow_features.config.sections import ModelSection
from slow_features.models.batch_norm import BatchNorm2d


class MeNet5(nn.Module):
    """Convolutions to a small map, then a linear layer to the embedding (published sizes)."""

    def __init__(self, channels: int, width: int, embedding_size: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            conv_block(channels, 16 * width, kernel=5, stride=2),  # [N, 16w, 14, 14]
            conv_block(16 * width, 32 * width, kernel=5, stride=2),  # [N, 32w, 7, 7]
            conv_block(32 * width, 32 * width, kernel=3, stride=1),
            nn.AvgPool2d(2),  # [N, 32w, 3, 3]
        )
        self.linear = FullPrecisionLinear(9 * 32 * width, embedding_size)

    def forward(self, frames: Tensor) -> Tensor:
        """Encode frames [N, C, 28, 28] -> [N, D].

        In channels_last memory convolutions are a fifth faster on a CPU, and the map is flattened
        in the order (row, column, channel) that it has in memory.
        """
        maps = self.convolutions(frames.to(memory_format=torch.channels_last))
        return self.linear(maps.permute(0, 2, 3, 1).flatten(1))


class FullPrecisionLinear(nn.Linear):
    """nn.Linear in the type of its weights, inside of an autocast context too.

    An embedding that leaves the encoder rounded to bfloat16 cost one seed of three 0.16 px
    (docs/performance.md), and these products are a small part of an encoder's.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Map features [N, in] -> [N, out]."""
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.to(self.weight.dtype))


def conv_block(channels_in: int, channels_out: int, kernel: int, stride: int) -> nn.Sequential:
    """Build convolution, ReLU, BatchNorm; the ReLU comes before the BatchNorm, as published."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2),
        nn.ReLU(inplace=True),
        BatchNorm2d(channels_out),
    )


def build_encoder(section: ModelSection) -> nn.Module:
    """Build the encoder, [N, C, 28, 28] -> [N, section.state_size].

    As published, `backbone_mlp` is one linear layer without bias behind the encoder's last one.
    """
    size = section.embedding_size
    encoder = MeNet5(section.channels, section.backbone_width_factor, size)
    if not isinstance(section.backbone_mlp, int):
        return encoder
    return nn.Sequential(encoder, FullPrecisionLinear(size, section.backbone_mlp, bias=False))
