"""The published learning-rate schedule: linear warm-up, then half a cosine."""

from __future__ import annotations

import math
from collections.abc import Callable

PUBLISHED_EPOCHS = 100
WARMUP_EPOCHS = 10  # of the published 100
LEAD_EPOCHS = 1  # of the published 100: how far the step counter is ahead
FLOOR = 1 / 1000  # rate at the end of the cosine, relative to the full rate


def warmup_cosine(
    base_lr: float, batch_size: int, steps_per_epoch: int, epochs: int
) -> Callable[[int], float]:
    """Return the rate of update number `step`, counted from 0, as published.

    The full rate is base_lr * batch_size / 256. In updates, of `steps` in all, the warm-up takes
    w = steps * 10/100 and the counter stands at s = step + steps * 1/100:

        s < w:   full * s / w
        else:    full * (q + FLOOR * (1 - q)),  q = (1 + cos(pi * (s - w) / (steps - w))) / 2

    Published behaviour: the counter starts one of 100 epochs ahead. The first update has 1/10 of
    the full rate, and the last epoch lies past the end of the cosine, which goes on: the rate
    reaches full/1000 at the start of the last epoch and has risen to 1.3 * full/1000 at its end.

    Warm-up and lead are parts of the run, so any number of epochs follows the curve of 100 epochs,
    compressed in time; with fewer than 10 epochs the warm-up is shorter than one epoch.
    """
    full = base_lr * batch_size / 256
    steps = steps_per_epoch * epochs
    warmup = steps * WARMUP_EPOCHS / PUBLISHED_EPOCHS
    lead = steps * LEAD_EPOCHS / PUBLISHED_EPOCHS

    def rate(step: int) -> float:
        position = step + lead
        if position < warmup:
            return full * position / warmup
        q = (1 + math.cos(math.pi * (position - warmup) / (steps - warmup))) / 2
        return full * (q + FLOOR * (1 - q))

    return rate
