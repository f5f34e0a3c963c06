"""How the dots move: starts and actions drawn by block, locations walked from them.

Paper, section 3: the angle of an action follows a Von Mises distribution around a mean that is
drawn once per sequence, its length is uniform, and the walk is clamped to the padded image.
"""

from __future__ import annotations

import math

import numpy as np

from slow_features.data.counters import Split, entropy
from slow_features.data.geometry import CONCENTRATION, MAX_STEP, bounds

BLOCK = 1000  # sequences that are drawn together


def sample(
    split: Split, seed: int, dots: int, dot_std: float, n_steps: int, begin: int, end: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw sequences begin..end - 1 of a split.

    Each block of 1000 sequences has a random generator of its own, keyed by (seed, split,
    block): a longer split begins with a shorter one, and any range is drawn without the rest.
    Returns starts [n, dots, 2] and intended actions [n, n_steps - 1, dots, 2], float32, in px.
    """
    low, high = bounds(dot_std)
    starts, actions = [], []
    for block in range(begin // BLOCK, -(-end // BLOCK)):
        key = np.random.SeedSequence([*entropy(split, seed, "trajectories"), block])
        start, action = _sample_block(np.random.Generator(np.random.Philox(key)), dots, n_steps)
        wanted = slice(max(begin - block * BLOCK, 0), end - block * BLOCK)
        starts.append(low + (high - low) * start[wanted])
        actions.append(action[wanted])
    return np.concatenate(starts).astype(np.float32), np.concatenate(actions)


def _sample_block(
    generator: np.random.Generator, dots: int, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a block: starts on the unit square [BLOCK, dots, 2], actions in px.

    A single dot moves; of three dots the first two move, independently, and the last one stands
    still (paper, section 4): its actions are zero.
    """
    moving = 1 if dots == 1 else dots - 1
    steps = (BLOCK, n_steps - 1, moving)
    start = generator.random((BLOCK, dots, 2))
    mean_angle = generator.uniform(-math.pi, math.pi, (BLOCK, 1, moving))
    angle = generator.vonmises(mean_angle, CONCENTRATION, steps)
    length = generator.uniform(0, MAX_STEP, steps)
    actions = np.zeros((BLOCK, n_steps - 1, dots, 2), dtype=np.float32)
    actions[:, :, :moving, 0] = length * np.cos(angle)
    actions[:, :, :moving, 1] = length * np.sin(angle)
    return start, actions


def roll_out(start: np.ndarray, actions: np.ndarray, low: float, high: float) -> np.ndarray:
    """Walk from the starts along the actions, each location clamped to [low, high].

    start: [B, dots, 2], actions: [B, T - 1, dots, 2], float32 px. Returns [B, T, dots, 2].
    """
    batch, moves, *rest = actions.shape
    low, high = np.float32(low), np.float32(high)
    walk = np.empty((moves + 1, batch, *rest), dtype=np.float32)  # time first: each step is whole
    walk[0] = start
    walk[1:] = actions.swapaxes(0, 1)
    for step in range(1, moves + 1):
        walk[step] += walk[step - 1]
        np.maximum(walk[step], low, out=walk[step])
        np.minimum(walk[step], high, out=walk[step])
    return np.ascontiguousarray(walk.swapaxes(0, 1))
