"""Mean and spread over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ENOUGH = 3  # seeds from which an interval is given; with fewer the points themselves are shown
_RESAMPLES = 10_000
_PERCENTILES = (2.5, 97.5)  # of a 95% interval


class Interval(NamedTuple):
    """A mean and, where there are enough values, its 95% bootstrap interval."""

    mean: float
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the mean of one value per seed with the percentile bootstrap interval of the mean.

    The values are drawn with replacement 10,000 times from a generator of its own, so the same
    values give the same interval. Raises ValueError without values.
    """
    if not values:
        raise ValueError("no values: there is no mean")
    data = np.asarray(values, dtype=np.float64)
    if len(data) < ENOUGH:
        return Interval(float(data.mean()), None, None)
    drawn = np.random.default_rng(0).integers(len(data), size=(_RESAMPLES, len(data)))
    low, high = np.percentile(data[drawn].mean(1), _PERCENTILES)
    return Interval(float(data.mean()), float(low), float(high))
