"""How much is measured: everything, the headline in minutes, or a test's fraction."""

from __future__ import annotations

from dataclasses import dataclass

PUBLISHED_EPOCH = 10_000  # sequences
MODELS = ("VICReg", "SimCLR", "IDM", "RSSM", "Supervised")


@dataclass(frozen=True)
class Budget:
    """What a run measures, and for how long.

    models, batches: every pair of them is a row of the table of training steps.
    rounds: blocks of each side, at most; there are fewer, but two, after `point_seconds`.
    block_seconds: a block repeats its call for about this long.
    sequences: of the probe and of the evaluation split.
    slow_batches: of 64 sequences in a block of the published probe, extrapolated to its epochs.
    embedding_sizes, cells_at_once, data_sizes: how cost grows; empty for not at all.
    whole_cell: also time MLflow, DVC and a whole cell of the grid.
    sizes: settings of every model other than the published ones, for tests.
    """

    models: tuple[str, ...] = MODELS
    batches: tuple[int, ...] = (32, 64, 256)
    rounds: int = 5
    point_seconds: float = 55.0
    block_seconds: float = 0.8
    sequences: int = PUBLISHED_EPOCH
    slow_batches: int = 10
    embedding_sizes: tuple[int, ...] = (128, 512, 1024, 2048)
    cells_at_once: tuple[int, ...] = (1, 2, 3, 4)
    data_sizes: tuple[int, ...] = (1_000, 10_000, 100_000)
    gemm_size: int = 2048
    whole_cell: bool = True
    sizes: tuple[str, ...] = ()


FULL = Budget()
QUICK = Budget(
    batches=(32,),
    rounds=2,
    point_seconds=15.0,
    sequences=1_000,
    block_seconds=0.3,
    slow_batches=3,
    embedding_sizes=(),
    cells_at_once=(),
    data_sizes=(),
    gemm_size=1024,
    whole_cell=False,
)
TINY = Budget(
    models=("VICReg",),
    batches=(4,),
    rounds=2,
    point_seconds=0.0,
    block_seconds=0.0,
    sequences=100,
    slow_batches=1,
    embedding_sizes=(8,),
    cells_at_once=(1,),
    data_sizes=(100,),
    gemm_size=64,
    whole_cell=False,
    sizes=("embedding_size=8", "backbone_width_factor=1"),
)
