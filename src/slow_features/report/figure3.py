"""The paper's figure 3: error under noise, a panel for each noise family.

A family with several levels is drawn as in the paper, error against the level; one with a single
level as a dot plot, a row for each method.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from slow_features.grid.cells import TUNED_FAMILY
from slow_features.grid.definition import PUBLISHED
from slow_features.models.registry import MODELS
from slow_features.report.names import is_remedy, is_searched, variants
from slow_features.report.noise_panel import (
    Series,
    draw_centre,
    draw_dots,
    draw_lines,
    errors_of,
    label_axes,
    series_of,
)
from slow_features.report.results import CellResult, Results
from slow_features.report.style import (
    NARROW,
    WIDE,
    legend_below,
    methods,
    new_figure,
    side_by_side,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

PANELS = {
    "changing_uniform": "uniform noise, changes every frame",
    "fixed_uniform": "uniform noise, fixed within a sequence",
    "changing_structured": "{images}, change every frame",
    "fixed_structured": "{images}, fixed within a sequence",
}
IMAGES = {"photographs": "photographs", "cifar10": "CIFAR-10 images"}


def draw_figure3(results: Results, images: str = "photographs", width: float = WIDE) -> Figure:
    """Draw the families of the scale: lines over the levels, or dots where there is one level.

    images: source of structured noise, as results name it.
    """
    lines, dots = families_by_kind(results)
    titles = {family: title.format(images=IMAGES[images]) for family, title in PANELS.items()}
    across = {kind: _across(kind, width) for kind in (len(lines), len(dots))}
    rows = max((len(_rows(results, family)) for family in dots), default=0)
    heights = [
        0.6 + 3.3 * -(-len(lines) // across[len(lines)]) if lines else 0,
        0.2 + (0.75 + 0.24 * rows) * -(-len(dots) // across[len(dots)]) if dots else 0,
    ]
    figure = new_figure(sum(heights) or 1.0, width)
    places = iter(_places(figure, [height for height in heights if height]))
    if lines:
        _line_plots(next(places), results, lines, titles, across[len(lines)])
    if dots:
        _dot_plots(next(places), results, dots, titles, across[len(dots)])
    return figure


def families_by_kind(results: Results) -> tuple[list[str], list[str]]:
    """Return the noise families to show that have several levels, and those with one."""
    there = [family for family in PANELS if family in results.shown_families]
    levels = {f: {r.cell.alpha for r in results.cells if r.cell.family == f} for f in there}
    return [f for f in there if len(levels[f]) > 1], [f for f in there if len(levels[f]) == 1]


def _across(count: int, width: float) -> int:
    return 1 if width == NARROW else min(2, max(count, 1)) if count != 3 else 3


def _places(figure: Figure, heights: Sequence[float]) -> Sequence[Figure | SubFigure]:
    if len(heights) < 2:
        return [figure]
    return figure.subfigures(len(heights), 1, height_ratios=heights)


# One level: a row for each method


def _dot_plots(
    place: Figure | SubFigure,
    results: Results,
    families: Sequence[str],
    titles: Mapping[str, str],
    columns: int,
) -> None:
    top = _top(results)
    same = [name for family in families for name in _rows(results, family)]
    order = {series.name: series for name in methods() for series in _all_series(results, name)}
    names = [name for name in order if name in same]
    grid = side_by_side(place, len(families), columns, sharex=True, sharey=columns > 1)
    for axes, family in zip(grid, families, strict=True):
        there = _rows(results, family)
        shown = names if columns > 1 else [name for name in names if name in there]
        draw_dots(axes, [there.get(name) for name in shown])
        axes.set_yticks(range(len(shown)), shown)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlim(0, 1.1 * top)
        title = f"{titles[family]}, alpha {results.reference_level(family)}"
        axes.set_title(title if columns == 2 else title.replace(", ", ",\n", 1))  # narrow: in two
        draw_centre(axes.axvspan, [r for r in results.finished if r.cell.family == family])
        axes.set_xlabel("RMSE, px (dark line: always the centre)")
        axes.tick_params(axis="y", length=0)


def _rows(results: Results, family: str) -> dict[str, Series]:
    """Return what stands in the dot plot of a family, every variant of every method, by name."""
    found = [s for name in methods() for s in series_of(results, family, name, variants(results))]
    return {series.name: series for series in found}


def _all_series(results: Results, name: str) -> list[Series]:
    return [
        series
        for variant in variants(results)
        for family in results.families
        for series in series_of(results, family, name, [variant])
    ]


# Several levels: lines


def _line_plots(
    place: Figure | SubFigure,
    results: Results,
    families: Sequence[str],
    titles: Mapping[str, str],
    columns: int,
) -> None:
    grid = side_by_side(place, len(families), columns)
    for axes, family in zip(grid, families, strict=True):
        axes.set_title(titles[family])
        draw_lines(axes, results, family, plotted_variants(results, family))
        label_axes(axes, _top(results))
    _legend(place, grid)


def plotted_variants(results: Results, family: str) -> list[str]:
    """Return the variants in a panel of lines, in which one more hides the others.

    Remedies have a table and a figure of their own; so has what is untuned, in the family that
    others are tuned in. A panel of another family shows none of it: it shares the level 0 alone.
    """
    elsewhere = {r.cell.variant for r in results.cells if is_remedy(r.cell)}
    elsewhere |= set(untuned(results)) if family == TUNED_FAMILY else set()
    own = {PUBLISHED, *(r.cell.variant for r in results.cells if r.cell.family == family)}
    return [variant for variant in variants(results) if variant in own - elsewhere]


def untuned(results: Results) -> list[str]:
    """Return the variants with the hyper-parameters of another level of the same noise."""
    shown = TUNED_FAMILY in results.shown_families
    there = [r.cell for r in results.cells if shown and r.cell.family == TUNED_FAMILY]
    own = [cell for cell in there if is_remedy(cell) or is_searched(cell)]
    others = [cell.variant for cell in there if cell.variant != PUBLISHED and cell not in own]
    return list(dict.fromkeys(others))


def draw_untuned(results: Results, width: float = WIDE) -> Figure:
    """Draw changing uniform noise with each level's own hyper-parameters, and with one for all."""
    figure = new_figure(4.0, width)
    axes = figure.subplots()
    chosen = untuned(results)
    models = {r.cell.model_type for r in results.cells if r.cell.variant in chosen}
    axes.set_title(PANELS[TUNED_FAMILY])
    lines = Results(results.scale, [*results.cells, *_where_tuned(results, chosen, models)])
    draw_lines(axes, lines, TUNED_FAMILY, [PUBLISHED, *chosen], models)
    label_axes(axes, _top(results))
    _legend(figure, [axes])
    return figure


def _where_tuned(
    results: Results, chosen: Sequence[str], models: Collection[str]
) -> list[CellResult]:
    """Return the published cells at the level whose hyper-parameters all have, as one of each line.

    The grid does not train them twice; without them a line would pass over that level.
    """
    return [
        replace(result, cell=replace(result.cell, variant=variant))
        for variant in chosen
        for model in models
        for alpha in results.levels(TUNED_FAMILY, model, PUBLISHED)
        if alpha not in results.levels(TUNED_FAMILY, model, variant)
        for result in results.of(TUNED_FAMILY, alpha, model, PUBLISHED)
    ]


def _top(results: Results) -> float:
    """Return the upper end of the axis, px: above everything that is drawn."""
    return 1.08 * max((max(r.error_px(), r.centre_px()) for r in results.finished), default=10.0)


def _legend(place: Figure | SubFigure, grid: Sequence[Axes]) -> None:
    """Name what is drawn anywhere, once, and what a cross means if there are any."""
    from matplotlib.lines import Line2D

    named = {}
    for axes in grid:
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    if any(line.get_marker() == "x" for axes in grid for line in axes.get_lines()):
        named["not run"] = Line2D([], [], linestyle="", marker="x", color="#444444")
    legend_below(place, named)


def missing(results: Results) -> bool:
    """Return whether a cell that would be a point of the figure is not run."""
    return any(result.outputs is None for result in _points(results))


def seeds_of_points(results: Results) -> set[int]:
    """Return the number of finished seeds of every point of the figure, each number once."""
    cells = [r.cell for r in _points(results) if r.outputs]
    settings = Counter((c.family, c.alpha, c.model_type, c.variant) for c in cells)
    return set(settings.values())


def _points(results: Results) -> list[CellResult]:
    """Return the cells that stand for points in a panel, rather than for a band."""
    lines, dots = families_by_kind(results)
    shown = {family: plotted_variants(results, family) for family in lines}
    return [
        r
        for r in results.cells
        if r.cell.family in dots
        or (MODELS[r.cell.model_type].trains and r.cell.variant in shown.get(r.cell.family, ()))
    ]


def figure3_alt(results: Results) -> str:
    """Return what the figure shows in words: every error, or those at the ends of each line."""
    said = []
    lines, _ = families_by_kind(results)
    for family in PANELS:
        if family not in results.families:
            continue
        shown = plotted_variants(results, family) if family in lines else variants(results)
        named = {
            series.name: {
                alpha: np.mean(errors)
                for alpha, there in series.cells.items()
                if (errors := errors_of(there))
            }
            for name in methods()
            for series in series_of(results, family, name, shown)
        }
        ends = "; ".join(f"{name} {_ends(errors)}" for name, errors in named.items() if errors)
        title = PANELS[family].format(images="images")
        said.append(f"{title[0].upper()}{title[1:]}: {ends or 'nothing has run'}.")
    return f"Error in px, for each method. {' '.join(said)}"


def _ends(errors: Mapping[float, float]) -> str:
    """Return an error, or those at the first and the last level."""
    first, last = min(errors), max(errors)
    if first == last:
        return f"{errors[first]:.2f}"
    return f"{errors[first]:.2f} at alpha {first:g} to {errors[last]:.2f} at alpha {last:g}"
