"""Nearest-neighbour upsampling followed by a convolution, without the large map in between."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class UpsampledConv2d(nn.Conv2d):
    """Upsample maps by a whole factor f (nearest neighbour), then convolve them.

    The convolution, whose weight this is, has kernel size 2f - 1, padding f - 1 and no bias, as
    published: 3 x 3 behind a doubling, 5 x 5 behind a tripling. [N, in, H, W] -> [N, out, fH, fW].
    """

    def __init__(self, in_channels: int, out_channels: int, factor: int) -> None:
        super().__init__(in_channels, out_channels, 2 * factor - 1, padding=factor - 1, bias=False)
        self.factor = factor

    def forward(self, maps: Tensor) -> Tensor:
        """Return conv(upsample(maps)), computed as one transposed convolution."""
        kernel = transposed_kernel(self.weight)
        return F.conv_transpose2d(maps, kernel, stride=self.factor, padding=self.factor - 1)


class SubpixelConv2d(UpsampledConv2d):
    """The same, for few output channels: a transposed convolution to 1 channel is slow on CPUs."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return conv(upsample(maps)), computed as a 3 x 3 convolution and a pixel shuffle."""
        kernel = subpixel_kernel(transposed_kernel(self.weight))
        return F.pixel_shuffle(F.conv2d(maps, kernel, padding=1), self.factor)


def transposed_kernel(weight: Tensor) -> Tensor:
    """Return the kernel whose transposed convolution equals upsampling and then convolving.

    weight: [out, in, 2f - 1, 2f - 1] of a convolution with padding f - 1 behind a nearest-neighbour
    upsampling by f. Returns [in, out, 3f - 2, 3f - 2], to be used with stride f and padding f - 1.

    Exact, borders included: a convolution adds each pixel of the large map, times the mirrored
    kernel, to the output around it. Upsampling gives one value to f x f neighbours, so a small
    pixel adds f x f shifted copies of the mirrored kernel, and their sum is the kernel returned
    here; in one dimension, for f = 2: (w2, w1 + w2, w0 + w1, w0). In both forms pixels outside of
    the map add nothing, and what falls outside of the output is cut off.
    """
    factor = (weight.shape[-1] + 1) // 2
    mirrored = F.pad(weight.flip(2, 3), [factor - 1] * 4)
    summed = F.avg_pool2d(mirrored, factor, stride=1, divisor_override=1)
    return summed.transpose(0, 1)


def subpixel_kernel(kernel: Tensor) -> Tensor:
    """Return the kernel of a convolution that, pixel-shuffled, equals a transposed convolution.

    kernel: [in, out, 3f - 2, 3f - 2] of a transposed convolution with stride f and padding f - 1.
    Returns [out * f * f, in, 3, 3], to be used with padding 1 and a pixel shuffle by f.

    Exact: in one dimension, output pixel f q + r sees the small pixel q + d through the kernel's
    entry r + f (1 - d) - 1; only d = -1, 0 and 1 lie inside of the kernel. With a zero put on
    either side, the kernel is thus 3 blocks of f entries: the block says which small pixel, in
    reverse order, and the place in the block which of the f output pixels.
    """
    into, out, size, _ = kernel.shape
    factor = (size + 2) // 3
    blocks = F.pad(kernel, [1] * 4).view(into, out, 3, factor, 3, factor).flip(2, 4)
    return blocks.permute(1, 3, 5, 0, 2, 4).reshape(-1, into, 3, 3)
