"""What the machine can do at best: products of large matrices, and copying memory."""

from __future__ import annotations

import torch

COPY_BYTES = 256 << 20  # far beyond any cache


def gemm(dtype, size):
    """Return a call that multiplies two [size, size] matrices: 2 size^3 operations."""
    a, b = torch.randn(2, size, size).to(getattr(torch, dtype))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def copy():
    """Return a call that reads and writes COPY_BYTES each."""
    source = torch.ones(COPY_BYTES // 4)
    target = torch.zeros_like(source)
    return lambda: target.copy_(source)
