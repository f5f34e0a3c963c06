"""A panel of Figure 3: the errors of methods under one kind of noise, as lines or as dots."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from slow_features.data.geometry import IMAGE_SIZE
from slow_features.grid.definition import PUBLISHED
from slow_features.models.registry import MODELS
from slow_features.report.names import look_of, model_name
from slow_features.report.results import CellResult, Results
from slow_features.report.spread import ENOUGH, spread
from slow_features.report.style import CENTRE_COLOUR, Method, methods

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDEST_SHIFT = 0.1  # of alpha, between lines at the same level: no marker hides another
_SHARE = 0.5  # of the way to the next level that the lines of a level may take up
_ALPHA_MAX = 3.0
_LIMITS = (-0.2, _ALPHA_MAX + 0.2)
_THINNEST = 0.05  # px, half the height of a band


class Series(NamedTuple):
    """A line, or a row: a variant of a method, how it is drawn, its cells by level."""

    name: str
    look: dict[str, Any]
    cells: dict[float, list[CellResult]]


def series_of(results: Results, family: str, name: str, shown: Sequence[str]) -> list[Series]:
    """Return a method's lines in a panel, one for each variant that the family has."""
    found = []
    for variant in shown:
        levels = results.levels(family, name, variant)
        cells = {float(a): results.of(family, a, name, variant) for a in levels}
        if cells:
            cell = next(iter(cells.values()))[0].cell
            found.append(Series(model_name(cell), look_of(results, cell), cells))
    return found


def errors_of(cells: Sequence[CellResult]) -> list[float]:
    """Return the errors of those cells that have run, px."""
    return [result.error_px() for result in cells if result.outputs]


def draw_centre(span: Callable[..., Any], finished: Sequence[CellResult]) -> None:
    """Draw the error of always answering the centre with a panel's axhspan or axvspan."""
    if finished:
        centre = [result.centre_px() for result in finished]
        ends = (min(centre) - _THINNEST, max(centre) + _THINNEST)
        span(*ends, color=CENTRE_COLOUR, alpha=0.55, linewidth=0, label="Centre")


# One level: a row for each method


def draw_dots(axes: Axes, rows: Sequence[Series | None]) -> None:
    """Draw a row's mean error with its number and its spread over seeds; None leaves a row empty.

    A cross at the left edge says that not every seed has run.
    """
    for row, series in enumerate(rows):
        cells = next(iter(series.cells.values())) if series else []
        errors = errors_of(cells)
        colour = series.look["color"] if series else ""
        if len(errors) > 1:
            axes.plot(spread(errors), [row] * 2, color=colour, linewidth=1.2)
        if 1 < len(errors) < ENOUGH:
            axes.plot(errors, [row] * len(errors), ".", color=colour, markersize=3.5)
        if errors:
            mean = float(np.mean(errors))
            axes.plot(
                [mean], [row], **series.look | {"linestyle": "", "markersize": 6}, label=series.name
            )
            behind = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5}
            near = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(f"{mean:.2f}", (mean, row), **near, fontsize=7.5, bbox=behind)
        if len(errors) < len(cells):
            axes.plot([0.025], [row], "x", color=colour, transform=axes.get_yaxis_transform())


# Several levels: lines


def draw_lines(
    axes: Axes,
    results: Results,
    family: str,
    shown: Sequence[str],
    models: Collection[str] | None = None,
) -> None:
    """Draw the error of every trained method against the level, untrained features as a band.

    shown: the variants, a line each. models: those of them to draw, without it all.
    """
    draw_centre(axes.axhspan, [r for r in results.finished if r.cell.family == family])
    lines = [
        series
        for name in methods()
        if MODELS[name].trains and (models is None or name in models)
        for series in series_of(results, family, name, shown)
    ]
    levels = sorted({level for series in lines for level in series.cells})
    step = _shift(levels, len(lines))
    for level in levels:
        half = step * len(lines) / 2
        axes.axvspan(level - half, level + half, color="#f4f4f2", linewidth=0, zorder=0)
    for place, series in enumerate(lines):
        _draw_line(axes, series, step * (place - (len(lines) - 1) / 2))
    for name, look in methods().items():
        if not MODELS[name].trains:
            for series in series_of(results, family, name, [PUBLISHED]):
                _draw_band(axes, series, look, max(0.2, step * len(lines) / 2))


def _shift(levels: Sequence[float], lines: int) -> float:
    """Return how far lines at one level stand apart: less where the next level is near."""
    nearest = min(np.diff(levels), default=_ALPHA_MAX)
    return min(_WIDEST_SHIFT, _SHARE * nearest / max(lines, 1))


def _draw_band(axes: Axes, series: Series, look: Method, margin: float) -> None:
    """Draw the range over the seeds from `margin` before the first level to beyond the last."""
    errors = {alpha: errors_of(there) for alpha, there in series.cells.items() if errors_of(there)}
    if not errors:
        return
    low = [min(values) - _THINNEST for values in errors.values()]
    high = [max(values) + _THINNEST for values in errors.values()]
    alphas = [min(errors) - margin, *errors, max(errors) + margin]
    axes.fill_between(
        np.clip(alphas, *_LIMITS),
        [low[0], *low, low[-1]],
        [high[0], *high, high[-1]],
        color=look.colour,
        alpha=0.4,
        linewidth=0,
        label=look.label,
    )


def _draw_line(axes: Axes, series: Series, shift: float) -> None:
    """Draw means joined by a line, broken where a level is missing, and the spread over seeds."""
    cells, colour = series.cells, series.look["color"]
    alphas = np.array(list(cells)) + shift
    means = [np.mean(errors_of(there)) if errors_of(there) else np.nan for there in cells.values()]
    axes.plot(alphas, means, **series.look, linewidth=1.3, label=series.name)
    for alpha, there in zip(alphas, cells.values(), strict=True):
        errors = errors_of(there)
        if len(errors) > 1:
            axes.plot([alpha] * 2, spread(errors), color=colour, linewidth=1.2)
        if 1 < len(errors) < ENOUGH:  # while it is their range, the points as well
            axes.plot([alpha] * len(errors), errors, ".", color=colour, markersize=3.5)
        if len(errors) < len(there):
            axes.plot([alpha], [0.025], "x", color=colour, transform=axes.get_xaxis_transform())


def label_axes(axes: Axes, top: float) -> None:
    """Give a panel of lines its limits and its labels; top: of the axis of errors, px."""
    axes.set_xlim(_LIMITS)
    axes.set_ylim(0, top)
    axes.set_xticks(np.arange(0, _ALPHA_MAX + 0.1, 0.5))
    axes.set_xlabel("level of noise, alpha")
    _unit_left_px_right(axes)


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
