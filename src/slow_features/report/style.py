"""How every figure looks: one colour per method, one size, the same bytes for the same input."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slow_features.files import atomic_file
from slow_features.models.registry import MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

WIDE, NARROW = 9.9, 4.1  # inches: the width of the page, and of a telephone's screen
CENTRE_COLOUR = "#222222"
GRID_COLOUR = "#dddddd"
REMARK = {  # of text over a drawing
    "color": "#666666",
    "style": "italic",
    "bbox": {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1},
}
_PNG_DPI = 130
_NO_DATE = {"Date": None, "Creator": None}

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


# Colours and markers of model types whose entry names none, in the registry's order. Of 30 such
# types no two have the same of both. How well colours are told apart: tests/test_report_style.py.
_SPARE_COLOURS = ("#56B4E9", "#6600CC", "#664422", "#880066", "#222288", "#CCAA66")
_SPARE_MARKERS = ("P", "*", "<", ">", "h")

# Filling of a marker and kind of line of a model's variants, the published one first. A marker can
# be filled in six ways; more variants have another marker, in the colour of their method.
_FILLINGS, _MORE = 6, "p"
_VARIANTS = (
    ("full", "-"),
    ("none", "--"),
    ("left", ":"),
    ("bottom", "-."),
    ("right", (0, (5, 1, 1, 1, 1, 1))),
    ("top", (0, (1, 3))),
    ("full", (0, (6, 2, 1, 2, 1, 2))),
    ("none", (0, (2, 2))),
    ("left", (0, (8, 3))),
    ("right", (0, (3, 1, 1, 1))),
    ("bottom", (0, (5, 1))),
    ("top", (0, (1, 1))),
)


@dataclass(frozen=True)
class Method:
    """How a model type is drawn and named."""

    label: str
    colour: str
    marker: str

    def look(self, variant: int = 0) -> dict[str, Any]:
        """Return how matplotlib draws a variant, by its place among those of the scale."""
        number = variant % len(_VARIANTS)
        fill, line = _VARIANTS[number]
        half = {"markerfacecoloralt": "white"} if fill not in ("full", "none") else {}
        return {
            "color": self.colour,
            "marker": self.marker if number < _FILLINGS else _MORE,
            "fillstyle": fill,
            "linestyle": line,
            **half,
        }


def method(model_type: str) -> Method:
    """Return how a model type is drawn and named."""
    return methods()[model_type]


def methods() -> dict[str, Method]:
    """Return all model types of the registry in its order."""
    spare = zip(cycle(_SPARE_COLOURS), cycle(_SPARE_MARKERS), strict=False)
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


def new_figure(height: float, width: float = WIDE) -> Figure:
    """Return an empty figure, sizes in inches, whose parts are laid out without overlap."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def panels(
    count: int, width: float, least: float, height: float, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` panels: rows as even as can be, each panel `least` inches wide.

    height: of a panel, inches. shared: as Figure.subplots takes it.
    """
    most = max(1, int(width / least))
    rows = max(1, -(-count // most))  # one, empty, where there is nothing to show
    columns = max(1, -(-count // rows))
    figure = new_figure(0.5 + height * rows, width)
    return figure, side_by_side(figure, count, columns, **shared)


def side_by_side(place: Figure | SubFigure, count: int, columns: int, **shared: Any) -> list[Axes]:
    """Return `count` axes, row by row; the places that are left over in the last row stay empty.

    shared: as Figure.subplots takes it.
    """
    rows = max(1, -(-count // columns))
    grid = place.subplots(rows, columns, squeeze=False, **shared).ravel()
    for axes in grid[count:]:
        axes.set_visible(False)
    return list(grid[:count])


def legend_below(figure: Figure | SubFigure, named: Mapping[str, Any]) -> None:
    """Name what is drawn below all panels; nothing where there is nothing to tell apart."""
    if len(named) > 1:
        needed = max(1.9, 0.5 + 0.065 * max(map(len, named)))  # inches, for the longest name
        columns = max(1, int(figure.get_figure(root=True).get_figwidth() // needed))
        place = {"loc": "outside lower center", "ncols": min(columns, len(named))}
        figure.legend(named.values(), named.keys(), **place)


def in_lines(name: str) -> str:
    """Return the name of a method and variant for a narrow panel: a line for each part."""
    return name.replace(" (", "\n(").replace(", ", ",\n")


def without_frame(axes: Axes) -> None:
    """Take ticks, grid and borders away: for pictures, which need no axes."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)


@dataclass(frozen=True)
class Picture:
    """A figure on disk as PNG and SVG, and a narrow one for small screens.

    title and caption stand beside it, as plain text; alt says what it shows to who cannot see it.
    """

    folder: Path
    name: str
    title: str
    caption: str
    alt: str
    narrow: str

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
        return _data_uri((self.folder / self.svg).read_bytes())


def _data_uri(content: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(content).decode()


def save(
    draw: Callable[[float], Figure], folder: Path, name: str, title: str, caption: str, alt: str
) -> Picture:
    """Write a figure as PNG and SVG without dates or versions inside.

    draw: makes it for a width in inches: that of the page, and that of a small screen.
    Speed: the layout is found once and then kept for both files; it depends on no resolution.
    """
    figure = _laid_out(draw(WIDE))
    with atomic_file(folder / f"{name}.svg") as partial:
        partial.write_bytes(_svg(figure))
    with atomic_file(folder / f"{name}.png") as partial:
        figure.savefig(partial, dpi=_PNG_DPI, metadata={"Software": None})
    narrow = _svg(_laid_out(draw(NARROW)))
    return Picture(folder, name, title, caption, alt, _data_uri(narrow))


def _svg(figure: Figure) -> bytes:
    """Return a figure as SVG, its clip paths numbered in their order.

    matplotlib names a clip path by a hash of its corners, whose last bits are those of the
    processor: the same picture would be another file on another machine.
    """
    file = io.BytesIO()
    figure.savefig(file, format="svg", dpi=_PNG_DPI, metadata=_NO_DATE)
    content = file.getvalue()
    for number, name in enumerate(re.findall(rb'<clipPath id="(\w+)"', content)):
        content = content.replace(name, b"clip%d" % number)
    return content


def _laid_out(figure: Figure) -> Figure:
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure
