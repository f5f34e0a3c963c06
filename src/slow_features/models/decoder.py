"""The decoder: from a state back to a frame of 28 x 28 pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slow_features.data.geometry import IMAGE_SIZE
from slow_features.models.batch_norm import BatchNorm2d
from slow_features.models.upsampled_conv import SubpixelConv2d, UpsampledConv2d


class Decoder(nn.Module):
    """States [N, S] -> frames [N, C, 28, 28]: linear, then three times upsample and convolve.

    Linear to a 3 x 3 map of 32w channels, ReLU; x2 and 3 x 3 convolution, ReLU, BatchNorm (6 x 6);
    x3 and 5 x 5 convolution to 16w channels, ReLU, BatchNorm (18 x 18); x3 and 5 x 5 convolution
    to C channels (54 x 54); bilinear to 28 x 28. All upsampling before that is nearest neighbour,
    and no convolution has a bias.
    """

    def __init__(self, state_size: int, channels: int, width_factor: int) -> None:
        super().__init__()
        wide, narrow = 32 * width_factor, 16 * width_factor
        self.linear = nn.Linear(state_size, 9 * wide)
        self.conv1 = UpsampledConv2d(wide, wide, factor=2)
        self.norm1 = BatchNorm2d(wide)
        self.conv2 = UpsampledConv2d(wide, narrow, factor=3)
        self.norm2 = BatchNorm2d(narrow)
        self.conv3 = SubpixelConv2d(narrow, channels, factor=3)

    def forward(self, states: Tensor, steps: int = 1) -> Tensor:
        """Decode states [T * B, S], one time step after the other, into frames [T * B, C, 28, 28].

        steps: T. BatchNorm takes its statistics over each time step by itself; 1, the default, is
        an ordinary BatchNorm over all rows. Maps lie in memory as channels_last, in which the CPU
        convolves fastest: the linear layer's outputs are ordered (row, column, channel).
        """
        maps = F.relu(self.linear(states)).view(len(states), 3, 3, -1).permute(0, 3, 1, 2)
        maps = step_by_step(self.norm1, F.relu(self.conv1(maps), inplace=True), steps)
        maps = step_by_step(self.norm2, F.relu(self.conv2(maps), inplace=True), steps)
        return F.interpolate(self.conv3(maps), size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear")


def step_by_step(norm: nn.Module, maps: Tensor, steps: int) -> Tensor:
    """Normalise maps [T * B, C, H, W] of T = `steps` time steps, each by itself, in order.

    With this, decoding T steps in one call equals T calls, statistics and running statistics
    included: BatchNorm is the only layer of a decoder in which rows depend on each other.
    """
    return torch.cat([norm(step) for step in maps.chunk(steps)])
