"""The paper's figure 3: error against the level of noise, a panel for each noise family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from slow_features.data.geometry import IMAGE_SIZE
from slow_features.report.interval import mean_interval
from slow_features.report.results import CellResult, Results
from slow_features.report.style import CENTRE_COLOUR, Method, method, methods, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {
    "changing_uniform": "uniform noise, changes every frame",
    "fixed_uniform": "uniform noise, fixed within a sequence",
    "changing_structured": "natural images, change every frame",
    "fixed_structured": "natural images, fixed within a sequence",
}
BANDS = ("Random",)  # drawn as a band, like the centre
_SHIFT = 0.035  # of alpha, between methods at the same level, so that no point hides another
_ALPHA_MAX = 3.0
_LIMITS = (-0.2, _ALPHA_MAX + 0.2)
_THINNEST = 0.05  # px, half the height of a band


def draw_figure3(results: Results) -> Figure:
    """Draw four panels: published hyper-parameters solid, the control dashed and hollow."""
    figure = new_figure(height=7.6)
    grid = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    top = _top(results)
    for axes, (family, title) in zip(grid, PANELS.items(), strict=True):
        _draw_panel(axes, results, family, ("published", "control"))
        _finish(axes, title, top, results.scale, family in results.families)
    _legend(figure, grid, "control")
    return figure


def draw_untuned(results: Results) -> Figure:
    """Draw changing uniform noise with each level's own hyper-parameters, and with one for all."""
    figure = new_figure(height=4.0)
    axes = figure.subplots()
    models = {r.cell.model_type for r in results.cells if r.cell.variant == "untuned"}
    _draw_panel(axes, results, "changing_uniform", ("published", "untuned"), models)
    there = bool(models)
    _finish(axes, PANELS["changing_uniform"], _top(results), results.scale, there)
    _legend(figure, [axes], "untuned")
    return figure


def _top(results: Results) -> float:
    """Return the upper end of the axis, px: above everything that is drawn."""
    values = [value for r in results.finished for value in (r.error_px(), r.centre_px())]
    return 1.08 * max(values, default=10.0)


def _draw_panel(
    axes: Axes,
    results: Results,
    family: str,
    variants: Sequence[str],
    models: set[str] | None = None,
) -> None:
    _draw_centre(axes, [r for r in results.finished if r.cell.family == family])
    shown = [name for name in methods() if models is None or name in models or name in BANDS]
    for place, name in enumerate(shown):
        shift = _SHIFT * (place - (len(shown) - 1) / 2)
        for variant in variants:
            levels = results.levels(family, name, variant)
            cells = {float(a): results.of(family, a, name, variant) for a in levels}
            if name in BANDS:
                _draw_band(axes, cells, method(name))
            else:
                _draw_line(axes, cells, method(name), shift, hollow=variant != "published")


def _draw_centre(axes: Axes, finished: Sequence[CellResult]) -> None:
    if finished:
        centre = [result.centre_px() for result in finished]
        span = (min(centre) - _THINNEST, max(centre) + _THINNEST)
        axes.axhspan(*span, color=CENTRE_COLOUR, alpha=0.55, linewidth=0, label="Centre")


def _draw_band(axes: Axes, cells: dict[float, list[CellResult]], look: Method) -> None:
    """Draw the range over the seeds along the levels; a single level spans the panel."""
    errors = {alpha: _errors(there) for alpha, there in cells.items() if _errors(there)}
    if not errors:
        return
    low = [min(values) - _THINNEST for values in errors.values()]
    high = [max(values) + _THINNEST for values in errors.values()]
    alphas = list(errors)
    if len(alphas) == 1:
        alphas, low, high = _LIMITS, low * 2, high * 2
    axes.fill_between(
        alphas, low, high, color=look.colour, alpha=0.4, linewidth=0, label=look.label
    )


def _draw_line(
    axes: Axes, cells: dict[float, list[CellResult]], look: Method, shift: float, hollow: bool
) -> None:
    """Draw means joined by a line, broken where a level is missing, and the spread over seeds."""
    if not cells:
        return
    alphas = np.array(list(cells)) + shift
    means = [np.mean(_errors(there)) if _errors(there) else np.nan for there in cells.values()]
    axes.plot(
        alphas,
        means,
        color=look.colour,
        linestyle="--" if hollow else "-",
        linewidth=1.3,
        marker=look.marker,
        markerfacecolor="white" if hollow else look.colour,
        label=None if hollow else look.label,
    )
    for alpha, there in zip(alphas, cells.values(), strict=True):
        _draw_spread(axes, alpha, _errors(there), look)
        if len(_errors(there)) < len(there):
            _mark_missing(axes, alpha, look, hollow)


def _errors(cells: Sequence[CellResult]) -> list[float]:
    return [result.error_px() for result in cells if result.outputs]


def _draw_spread(axes: Axes, alpha: float, errors: Sequence[float], look: Method) -> None:
    """Draw the 95% interval of three or more seeds; of fewer, the points."""
    if len(errors) < 2:
        return
    interval = mean_interval(errors)
    if interval.low is None:
        axes.plot([alpha] * len(errors), errors, ".", color=look.colour, markersize=3.5)
    else:
        axes.plot([alpha] * 2, [interval.low, interval.high], color=look.colour, linewidth=2.4)


def _mark_missing(axes: Axes, alpha: float, look: Method, hollow: bool) -> None:
    """Put a cross at the bottom of the panel where a cell is not run, or not for every seed."""
    axes.plot(
        [alpha],
        [0.045 if hollow else 0.02],
        marker="x",
        color=look.colour,
        markersize=5,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )


def _finish(axes: Axes, title: str, top: float, scale: str, there: bool) -> None:
    axes.set_title(title)
    axes.set_xlim(_LIMITS)
    axes.set_ylim(0, top)
    axes.set_xticks(np.arange(0, _ALPHA_MAX + 0.1, 0.5))
    _unit_left_px_right(axes)
    spec = axes.get_subplotspec()
    if spec.is_last_row():
        axes.set_xlabel("level of noise, alpha")
    if not there:
        axes.text(
            0.5,
            0.5,
            f"not in scale “{scale}”",
            transform=axes.transAxes,
            ha="center",
            color="#666666",
            style="italic",
        )


def _unit_left_px_right(axes: Axes) -> None:
    """Label the left axis on the paper's unit square and the right one in px."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    axes.yaxis.set_major_locator(MultipleLocator(0.05 * IMAGE_SIZE))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda px, _: f"{px / IMAGE_SIZE:.2f}"))
    spec = axes.get_subplotspec()
    if spec.is_first_col():
        axes.set_ylabel("RMSE, unit square")
    right = axes.secondary_yaxis("right")
    if spec.is_last_col():
        right.set_ylabel("RMSE, px")


def _legend(figure: Figure, grid: Sequence[Axes], variant: str) -> None:
    """Name what is drawn anywhere, once, and what hollow and crosses mean."""
    from matplotlib.lines import Line2D

    named = {}
    for axes in grid:
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    grey = {"color": "#444444", "markersize": 5}
    named[f"{variant} (hollow, dashed)"] = Line2D(
        [], [], linestyle="--", marker="o", markerfacecolor="white", **grey
    )
    named["not run"] = Line2D([], [], linestyle="", marker="x", **grey)
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=5)
