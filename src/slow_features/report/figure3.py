"""The paper's figure 3: error against the level of noise, a panel for each noise family."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from slow_features.data.geometry import IMAGE_SIZE
from slow_features.models.registry import MODELS
from slow_features.report.results import CellResult, Results
from slow_features.report.spread import ENOUGH, spread
from slow_features.report.style import CENTRE_COLOUR, Method, method, methods, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {
    "changing_uniform": "uniform noise, changes every frame",
    "fixed_uniform": "uniform noise, fixed within a sequence",
    "changing_structured": "{images}, change every frame",
    "fixed_structured": "{images}, fixed within a sequence",
}
IMAGES = {"photographs": "photographs", "cifar10": "CIFAR-10 images"}
_WIDEST_SHIFT = 0.1  # of alpha, between lines at the same level: no marker hides another
_SHARE = 0.5  # of the way to the next level that the lines of a level may take up
_ALPHA_MAX = 3.0
_LIMITS = (-0.2, _ALPHA_MAX + 0.2)
_THINNEST = 0.05  # px, half the height of a band
_QUIET = {"color": "#8a8a8a", "style": "italic"}
_LOW_ROW = 0.1  # height of a row of panels that are not in the scale


class Series(NamedTuple):
    """One line of a panel: a method with one choice of hyper-parameters, its cells by level."""

    look: Method
    hollow: bool
    cells: dict[float, list[CellResult]]


def draw_figure3(results: Results, images: str = "photographs") -> Figure:
    """Draw four panels: published hyper-parameters solid, the control dashed and hollow.

    What is not trained is drawn as a band, like the centre.

    images: source of structured noise, as results name it.
    """
    families = list(PANELS)
    there = [any(f in results.families for f in row) for row in (families[:2], families[2:])]
    heights = [1 if row else _LOW_ROW for row in there]
    figure = new_figure(height=0.4 + 3.6 * sum(heights))
    grid = figure.subplots(2, 2, height_ratios=heights).ravel()
    for axes, (family, title) in zip(grid, PANELS.items(), strict=True):
        axes.set_title(title.format(images=IMAGES[images]))
        if family in results.families:
            _draw_panel(axes, results, family, ("published", "control"))
            _finish(axes, _top(results))
        else:
            _leave_empty(axes)
    _legend(figure, results, grid, "control")
    return figure


def draw_untuned(results: Results) -> Figure:
    """Draw changing uniform noise with each level's own hyper-parameters, and with one for all."""
    figure = new_figure(height=4.0)
    axes = figure.subplots()
    models = {r.cell.model_type for r in results.cells if r.cell.variant == "untuned"}
    axes.set_title(PANELS["changing_uniform"])
    _draw_panel(axes, results, "changing_uniform", ("published", "untuned"), models)
    _finish(axes, _top(results))
    _legend(figure, results, [axes], "untuned")
    return figure


def _top(results: Results) -> float:
    """Return the upper end of the axis, px: above everything that is drawn."""
    return 1.08 * max((max(r.error_px(), r.centre_px()) for r in results.finished), default=10.0)


def _draw_panel(
    axes: Axes,
    results: Results,
    family: str,
    variants: Sequence[str],
    models: set[str] | None = None,
) -> None:
    _draw_centre(axes, [r for r in results.finished if r.cell.family == family])
    lines = [
        series
        for name in methods()
        if MODELS[name].trains and (models is None or name in models)
        for series in _series(results, family, name, variants)
    ]
    levels = sorted({level for series in lines for level in series.cells})
    step = _shift(levels, len(lines))
    for level in levels:
        half = step * len(lines) / 2
        axes.axvspan(level - half, level + half, color="#f4f4f2", linewidth=0, zorder=0)
    for place, series in enumerate(lines):
        _draw_line(axes, series, step * (place - (len(lines) - 1) / 2))
    for name in (name for name in methods() if not MODELS[name].trains):
        for series in _series(results, family, name, ("published",)):
            _draw_band(axes, series, max(0.2, step * len(lines) / 2))


def _series(results: Results, family: str, name: str, variants: Sequence[str]) -> list[Series]:
    """Return a method's lines in a panel, one for each variant that the scale has."""
    found = []
    for variant in variants:
        levels = results.levels(family, name, variant)
        cells = {float(a): results.of(family, a, name, variant) for a in levels}
        if cells:
            found.append(Series(method(name), variant != "published", cells))
    return found


def _shift(levels: Sequence[float], lines: int) -> float:
    """Return how far lines at one level stand apart: less where the next level is near."""
    nearest = min(np.diff(levels), default=_ALPHA_MAX)
    return min(_WIDEST_SHIFT, _SHARE * nearest / max(lines, 1))


def _draw_centre(axes: Axes, finished: Sequence[CellResult]) -> None:
    if finished:
        centre = [result.centre_px() for result in finished]
        span = (min(centre) - _THINNEST, max(centre) + _THINNEST)
        axes.axhspan(*span, color=CENTRE_COLOUR, alpha=0.55, linewidth=0, label="Centre")


def _draw_band(axes: Axes, series: Series, margin: float) -> None:
    """Draw the range over the seeds from `margin` before the first level to beyond the last."""
    errors = {alpha: _errors(there) for alpha, there in series.cells.items() if _errors(there)}
    if not errors:
        return
    low = [min(values) - _THINNEST for values in errors.values()]
    high = [max(values) + _THINNEST for values in errors.values()]
    alphas = [min(errors) - margin, *errors, max(errors) + margin]
    axes.fill_between(
        np.clip(alphas, *_LIMITS),
        [low[0], *low, low[-1]],
        [high[0], *high, high[-1]],
        color=series.look.colour,
        alpha=0.4,
        linewidth=0,
        label=series.look.label,
    )


def _draw_line(axes: Axes, series: Series, shift: float) -> None:
    """Draw means joined by a line, broken where a level is missing, and the spread over seeds."""
    look, cells = series.look, series.cells
    alphas = np.array(list(cells)) + shift
    means = [np.mean(_errors(there)) if _errors(there) else np.nan for there in cells.values()]
    axes.plot(
        alphas,
        means,
        color=look.colour,
        linestyle="--" if series.hollow else "-",
        linewidth=1.3,
        marker=look.marker,
        markerfacecolor="white" if series.hollow else look.colour,
        label=None if series.hollow else look.label,
    )
    for alpha, there in zip(alphas, cells.values(), strict=True):
        _draw_spread(axes, alpha, _errors(there), look)
        if len(_errors(there)) < len(there):
            _mark_missing(axes, alpha, look)


def _errors(cells: Sequence[CellResult]) -> list[float]:
    return [result.error_px() for result in cells if result.outputs]


def _draw_spread(axes: Axes, alpha: float, errors: Sequence[float], look: Method) -> None:
    """Draw the spread of two or more seeds; while it is their range, the points as well."""
    if len(errors) < 2:
        return
    axes.plot([alpha] * 2, spread(errors), color=look.colour, linewidth=1.2)
    if len(errors) < ENOUGH:
        axes.plot([alpha] * len(errors), errors, ".", color=look.colour, markersize=3.5)


def _mark_missing(axes: Axes, alpha: float, look: Method) -> None:
    """Put a cross at the bottom of the panel where a cell is not run, or not for every seed."""
    axes.plot(
        [alpha],
        [0.025],
        marker="x",
        color=look.colour,
        markersize=5,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )


def _finish(axes: Axes, top: float) -> None:
    axes.set_xlim(_LIMITS)
    axes.set_ylim(0, top)
    axes.set_xticks(np.arange(0, _ALPHA_MAX + 0.1, 0.5))
    axes.set_xlabel("level of noise, alpha")
    _unit_left_px_right(axes)


def _leave_empty(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.title.set_color(_QUIET["color"])
    axes.text(0, 0.9, "not in this scale", transform=axes.transAxes, va="top", **_QUIET)


def _unit_left_px_right(axes: Axes) -> None:
    """Label the left axis on the paper's unit square and the right one in px."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    step = 0.05 * IMAGE_SIZE
    axes.yaxis.set_major_locator(MultipleLocator(step * max(1, axes.get_ylim()[1] // (20 * step))))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda px, _: f"{px / IMAGE_SIZE:.2f}"))
    spec = axes.get_subplotspec()
    if spec.is_first_col():
        axes.set_ylabel("RMSE, unit square")
    right = axes.secondary_yaxis("right")
    if spec.is_last_col():
        right.set_ylabel("RMSE, px")


def _legend(figure: Figure, results: Results, grid: Sequence[Axes], variant: str) -> None:
    """Name what is drawn anywhere, once, and what hollow and crosses mean if there are any."""
    from matplotlib.lines import Line2D

    named = {}
    for axes in grid:
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    grey = {"color": "#444444", "markersize": 5}
    if any(result.cell.variant == variant for result in results.cells):
        named[f"{variant} (hollow, dashed)"] = Line2D(
            [], [], linestyle="--", marker="o", markerfacecolor="white", **grey
        )
    if missing(results):
        named["not run"] = Line2D([], [], linestyle="", marker="x", **grey)
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=5)


def missing(results: Results) -> bool:
    """Return whether a cell that would be a point of the figure is not run."""
    return any(result.outputs is None for result in _points(results))


def seeds_of_points(results: Results) -> set[int]:
    """Return the number of finished seeds of every point of the figure, each number once."""
    settings = [
        (r.cell.family, r.cell.alpha, r.cell.model_type, r.cell.variant)
        for r in _points(results)
        if r.outputs
    ]
    return set(Counter(settings).values())


def _points(results: Results) -> list[CellResult]:
    """Return the cells that stand for points in a panel, rather than for a band."""
    drawn = [r for r in results.cells if r.cell.family in PANELS]
    return [r for r in drawn if MODELS[r.cell.model_type].trains]
