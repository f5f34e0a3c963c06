"""Can methods be told apart in a figure: by any colour vision, in grey print, by their variants?

Simulation of colour vision: Machado, Oliveira and Fernandes 2009 (severity 1), in linear RGB.
Differences are CIE 1976 delta E in L*a*b*, D65; about 2.3 is just noticeable side by side.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from slow_features.config.sections import RandomSection
from slow_features.models.registry import MODELS, ModelEntry
from slow_features.report.mechanism import _PARTS
from slow_features.report.style import NARROW, WIDE, method, methods, panels, save, styled

VISION = {
    "full": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip


def lab(colour, vision="full"):
    """Return L*, a*, b* of a colour as somebody with this vision sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    x, y, z = np.cbrt(np.maximum(_XYZ @ seen / (_XYZ @ np.ones(3)), 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def nearest(colours, vision):
    """Return the smallest difference between two of the colours."""
    seen = [lab(colour, vision) for colour in colours]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))


@pytest.fixture
def five_more(monkeypatch):
    """Model types of a user's own, whose entries name no colour."""
    for number in range(5):
        monkeypatch.setitem(MODELS, f"New{number}", ModelEntry("a.module:Class", RandomSection))


def test_the_simulation_is_what_it_is_said_to_be():
    """Grey stays grey in all of them, and red and green become alike in two."""
    for vision in VISION:
        assert np.allclose(lab("#808080", vision)[1:], 0, atol=0.5)
    green = "#8DA000"
    apart = {v: np.linalg.norm(lab("#C85000", v) - lab(green, v)) for v in VISION}
    assert apart["deuteranopia"] < apart["full"] / 2
    assert lab("white")[0] == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize("vision", list(VISION))
def test_the_papers_methods_differ_in_colour_for_every_vision(vision):
    assert nearest([look.colour for look in methods().values()], vision) > 8


@pytest.mark.parametrize("vision", list(VISION))
def test_a_users_own_models_differ_in_colour_from_all_others(vision, five_more):
    colours = [look.colour for look in methods().values()]
    assert nearest(colours, vision) > 8


def test_markers_tell_all_methods_apart_in_grey(five_more):
    looks = list(methods().values())
    assert len({look.marker for look in looks}) == len(looks) == 11


def test_no_two_of_thirty_models_have_the_same_colour_and_marker(monkeypatch):
    for number in range(30):
        monkeypatch.setitem(MODELS, f"New{number}", ModelEntry("a.module:Class", RandomSection))
    looks = [(look.colour, look.marker) for look in methods().values()]
    assert len(set(looks)) == 36


def test_the_variants_of_a_model_share_its_colour_and_differ_without_it():
    looks = [method("VICReg").look(variant) for variant in range(6)]
    assert {look["color"] for look in looks} == {MODELS["VICReg"].colour}
    assert len({look["fillstyle"] for look in looks}) == 6, "in a dot plot"
    assert len({str(look["linestyle"]) for look in looks}) == 6, "in lines without a marker"


def test_a_model_type_may_have_any_name_and_the_look_of_its_entry(monkeypatch):
    entry = replace(MODELS["VICReg"], colour="#123456", marker="p", label="")
    monkeypatch.setitem(MODELS, "<Mine>", entry)
    assert (method("<Mine>").label, method("<Mine>").colour) == ("<Mine>", "#123456")


def test_the_parts_of_a_bar_differ_in_grey():
    """By lightness, and the part between the two by a hatch as well."""
    lightness = [lab(colour)[0] for _, _, colour, _ in _PARTS]
    assert min(abs(a - b) for a, b in itertools.combinations(lightness, 2)) > 15
    assert [bool(hatch) for *_, hatch in _PARTS] == [False, True, False]


@pytest.mark.parametrize(
    ("count", "width", "rows"), [(5, WIDE, 1), (7, WIDE, 2), (7, NARROW, 4), (1, NARROW, 1)]
)
def test_panels_fill_their_rows_evenly(count, width, rows):
    figure, grid = panels(count, width, 1.9, 2.0)
    assert len(grid) == count
    places = [axes.get_subplotspec().rowspan.start for axes in grid]
    assert max(places) + 1 == rows
    assert figure.get_figwidth() == width


def test_a_figure_is_the_same_file_whatever_the_last_bits_of_its_layout(tmp_path):
    def draw(width, last_bits):
        figure = Figure(figsize=(width, 2))
        figure.add_axes((0.1, 0.1, 0.8 + last_bits, 0.8)).plot([0, 1], [0, 1])
        return figure

    files = []
    for name, last_bits in (("one", 0.0), ("other", 1e-15)):
        with styled():
            save(partial(draw, last_bits=last_bits), tmp_path, name, "title", "caption", "alt")
        files.append((tmp_path / f"{name}.svg").read_bytes())
    assert files[0] == files[1]
    clipped = set(re.findall(rb"url\(#([^)]+)\)", files[0]))
    assert clipped == set(re.findall(rb'<clipPath id="([^"]+)"', files[0])) == {b"clip0"}
