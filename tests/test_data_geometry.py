"""Units convert as published, and back."""

import math

import numpy as np
import pytest

from slow_features.data import geometry


def test_padding_and_bounds_are_two_sigma():
    assert geometry.padding(1.3) == 2.6
    assert geometry.bounds(1.3) == (2.6, 24.4)


def test_normalised_range_is_that_of_a_uniform_variable_of_variance_one():
    low, high = geometry.bounds(1.3)
    ends = geometry.normalise_locations(np.array([low, 13.5, high]), 1.3)
    assert ends == pytest.approx([-math.sqrt(3), 0, math.sqrt(3)])
    assert geometry.centre() == 13.5


def test_normalising_follows_the_published_formula_and_inverts():
    location, p = 7.25, 2 * 0.8
    published = ((location - p) / (27 - 2 * p) - 1 / 2) / math.sqrt(1 / 12)
    assert geometry.normalise_locations(location, 0.8) == pytest.approx(published)
    assert geometry.unnormalise_locations(published, 0.8) == pytest.approx(location)


def test_scales_of_actions_and_of_the_unit_square():
    assert geometry.normalise_actions(4.0) == pytest.approx(4 / (0.4102 * 4))
    assert geometry.to_unit_square(14.0) == 0.5
    assert geometry.amplitude(1.3) == pytest.approx(0.0941, abs=5e-4)


def test_dots_of_each_type():
    assert (geometry.dots_of("Single"), geometry.dots_of("Multiple")) == (1, 3)
