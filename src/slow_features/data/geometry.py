"""The world of the dot: sizes, bounds and conversions of units, all in one place.

Locations are (x = column, y = row) in px, counted from the centre of the top-left pixel. Numbers
are those of the paper (Sobal et al. 2022, section 3) and of the published configurations.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

IMAGE_SIZE = 28  # px, both sides
PIXELS = IMAGE_SIZE * IMAGE_SIZE
LAST_PIXEL = IMAGE_SIZE - 1  # px, largest coordinate of a pixel's centre
MAX_STEP = 4.0  # px, longest action; 0.14 of the image's width
CONCENTRATION = 0.2  # of the Von Mises distribution of an action's angle
ACTION_SCALE = 0.4102 * 4  # px, by which actions are divided; as published
UNIFORM_STD = math.sqrt(1 / 12)  # standard deviation of U[0, 1)
DOTS = ("action", "random", "stationary")  # the three dots, in order

Array = TypeVar("Array", bound=Any)  # a NumPy array or a Tensor: the arithmetic is the same


def dots_of(dataset_type: str) -> int:
    """Return the number of dots of a dataset_type: 1 for Single, 3 for Multiple."""
    return 1 if dataset_type == "Single" else len(DOTS)


def padding(dot_std: float) -> float:
    """Return p = 2 sigma: a dot stays this many px away from the border."""
    return 2 * dot_std


def bounds(dot_std: float) -> tuple[float, float]:
    """Return the lowest and the highest coordinate of a dot, p and 27 - p, in px."""
    return padding(dot_std), LAST_PIXEL - padding(dot_std)


def centre() -> float:
    """Return both coordinates of the image's centre in px, the mean of the allowed range."""
    return LAST_PIXEL / 2


def amplitude(dot_std: float) -> float:
    """Return the height of a dot, 1 / (2 pi sigma^2): a dot is a density and sums to one."""
    return 1 / (2 * math.pi * dot_std**2)


def normalise_locations(locations: Array, dot_std: float) -> Array:
    """Turn px into ((l - p) / (27 - 2p) - 1/2) / sqrt(1/12): the allowed range gets std one.

    locations: [..., 2] in px.
    """
    low, high = bounds(dot_std)
    scale = 1 / ((high - low) * UNIFORM_STD)
    return (locations - centre()) * scale


def unnormalise_locations(locations: Array, dot_std: float) -> Array:
    """Turn normalised locations [..., 2] back into px; inverse of `normalise_locations`."""
    low, high = bounds(dot_std)
    return locations * ((high - low) * UNIFORM_STD) + centre()


def normalise_actions(actions: Array) -> Array:
    """Divide actions [..., 2] in px by the published 0.4102 * 4."""
    return actions / ACTION_SCALE


def to_unit_square(length: Array) -> Array:
    """Turn a length in px into the paper's unit, the width of the image: px / 28."""
    return length / IMAGE_SIZE
