"""How far the seeds of one setting lie apart, and how sure their mean is."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

ENOUGH = 5  # seeds from which an interval is given; of fewer, the points and their range
_CONFIDENCE = 0.95


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the low and the high end of what `spread_in_words` names, for one value per seed.

    Below five the smallest and the largest value: they cover nothing with a known probability, and
    neither does a bootstrap (of three values it gives the same two, around the true mean in three
    cases of four). From five on Student's t interval of the mean.
    Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError("one value has no spread")
    if len(values) < ENOUGH:
        return min(values), max(values)
    from scipy.stats import t

    mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))
    half = error * t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1)
    return float(mean - half), float(mean + half)


def spread_in_words(counts: Collection[int]) -> str:
    """Return what the spread of so many seeds is; counts: of each setting, which may differ."""
    few = sorted({n for n in counts if 2 <= n < ENOUGH})
    many = sorted({n for n in counts if n >= ENOUGH})
    words = [f"the points and the range of {_listed(few)} seeds"] if few else []
    if many:
        words.append(f"the {_CONFIDENCE:.0%} t interval of the mean of {_listed(many)} seeds")
    return " or ".join(words)


def _listed(counts: Sequence[int]) -> str:
    return " or ".join(map(str, counts))
