"""How every figure looks: one colour per method, one size, the same bytes for the same input."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from slow_features.files import atomic_file
from slow_features.models.registry import MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 9.9  # inches, the width of the page
CENTRE_COLOUR = "#222222"
GRID_COLOUR = "#dddddd"
_PNG_DPI = 130

_SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID_COLOUR,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "legend.frameon": False,
    "svg.fonttype": "path",  # text as outlines: looks the same without the font
    "svg.hashsalt": "slow-features",  # else the ids in an SVG are random
}


# Colour and marker of model types whose entry names none, in the registry's order.
_SPARE = (("#56B4E9", "P"), ("#8C564B", "*"), ("#332288", "<"), ("#999933", ">"), ("#882255", "h"))


@dataclass(frozen=True)
class Method:
    """How a model type is drawn and named."""

    label: str
    colour: str
    marker: str


def method(model_type: str) -> Method:
    """Return how a model type is drawn and named."""
    return methods()[model_type]


def methods() -> dict[str, Method]:
    """Return all model types of the registry in its order."""
    spare = cycle(_SPARE)
    looks = {
        name: (entry.colour, entry.marker) if entry.colour else next(spare)
        for name, entry in MODELS.items()
    }
    return {name: Method(MODELS[name].label or name, *look) for name, look in looks.items()}


@contextmanager
def styled() -> Iterator[None]:
    """Give every figure that is made and saved inside this block the project's look."""
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):
        yield


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure, sizes in inches, whose parts are laid out without overlap."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def without_frame(axes: Axes) -> None:
    """Take ticks, grid and borders away: for pictures, which need no axes."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)


@dataclass(frozen=True)
class Picture:
    """A figure on disk as PNG and SVG. title and caption stand beside it, as plain text."""

    folder: Path
    name: str
    title: str
    caption: str

    @property
    def png(self) -> str:
        """File name of the PNG."""
        return f"{self.name}.png"

    @property
    def svg(self) -> str:
        """File name of the SVG."""
        return f"{self.name}.svg"

    @property
    def inline(self) -> str:
        """The SVG as a data URI: a page that holds it needs no other file."""
        content = (self.folder / self.svg).read_bytes()
        return "data:image/svg+xml;base64," + base64.b64encode(content).decode()


def save(figure: Figure, folder: Path, name: str, title: str, caption: str) -> Picture:
    """Write a figure as PNG and SVG without dates or versions inside.

    Speed: the layout is found once and then kept for both files; it depends on no resolution.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for suffix, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
        with atomic_file(folder / f"{name}.{suffix}") as partial:
            figure.savefig(partial, dpi=_PNG_DPI, metadata=metadata)
    return Picture(folder, name, title, caption)
