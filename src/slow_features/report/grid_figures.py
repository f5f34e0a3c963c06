"""Figures over all cells of a scale, besides figure 3 and losses: by frame, paths, samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slow_features.grid.cells import THREE_DOTS, Cell, cells_of, load_grid, scales
from slow_features.report.pictures import (
    Strip,
    draw_paths,
    draw_strips,
    path_panels,
)
from slow_features.report.results import CellResult, Results
from slow_features.report.samples import picture_samples
from slow_features.report.style import CENTRE_COLOUR, method, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REMARK = {  # of text over a drawing
    "color": "#666666",
    "style": "italic",
    "bbox": {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1},
}


def setting_name(family: str, alpha: str) -> str:
    """Return a noise setting in words."""
    if family == THREE_DOTS:
        return "three dots, no noise"
    return "no noise" if float(alpha) == 0 else f"{family.replace('_', ' ')} noise {alpha}"


def model_name(cell: Cell) -> str:
    """Return a method and its variant in words."""
    label = method(cell.model_type).label
    return label if cell.variant == "published" else f"{label}, {cell.variant}"


def reference_cells(results: Results, family: str) -> list[CellResult]:
    """Return the cells that example pictures of a family show: one level, the first seed."""
    level = results.reference_level(family)
    chosen = [r for r in results.cells if (r.cell.family, r.cell.alpha) == (family, level)]
    first_seed = min((r.cell.seed for r in chosen), default=0)
    return [r for r in chosen if r.cell.seed == first_seed]


def draw_errors_by_frame(results: Results) -> Figure:
    """Draw RMSE by frame of every method, a panel for each family at its reference level."""
    families = results.families
    columns = min(2, len(families))
    rows = -(-len(families) // columns)
    figure = new_figure(height=0.5 + 2.9 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes in grid[len(families) :]:
        axes.set_visible(False)
    for axes, family in zip(grid, families, strict=False):
        _errors_panel(axes, reference_cells(results, family))
        axes.set_title(setting_name(family, results.reference_level(family)))
    grid[0].set_ylim(bottom=0)
    named = {}
    for axes in grid:
        named |= {line.get_label(): line for line in axes.get_lines()}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=4)
    return figure


def _errors_panel(axes: Axes, cells: Sequence[CellResult]) -> None:
    there = [cell for cell in cells if cell.outputs]
    for cell in there:
        look, control = method(cell.cell.model_type), cell.cell.variant != "published"
        values = cell.finished.result.pred.per_step_px
        axes.plot(
            values,
            color=look.colour,
            linestyle="--" if control else "-",
            marker=look.marker,
            markersize=3.5,
            markerfacecolor="white" if control else look.colour,
            label=model_name(cell.cell),
        )
    if there:
        centre = there[0].finished.result.centre.per_step_px
        axes.plot(centre, color=CENTRE_COLOUR, linestyle=":", label="Centre")
    _say_missing(axes, cells)
    axes.set_xlabel("frame")
    axes.set_xticks(range(0, 17, 4))
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel("RMSE, px")


def _say_missing(axes: Axes, cells: Sequence[CellResult]) -> None:
    """Name inside a panel what is not run."""
    missing = list(dict.fromkeys(model_name(cell.cell) for cell in cells if not cell.outputs))
    if missing:
        axes.text(
            0.98,
            0.03,
            "not run: " + "\n".join(missing),
            transform=axes.transAxes,
            ha="right",
            fontsize=7.5,
            **REMARK,
        )


def draw_family_paths(results: Results, family: str) -> Figure | None:
    """Draw the best and the worst stored sequence of every method, over their frame 0.

    None where no cell of the family's reference level is finished.
    """
    finished = [result for result in reference_cells(results, family) if result.outputs]
    if not finished:
        return None
    first_frames = picture_samples(finished[0].cell.config).seen[:, 0]  # the same for all
    panels = []
    for result in finished:
        ordered = path_panels(result.finished.paths, first_frames)
        for panel, which in ((ordered[0], "best"), (ordered[-1], "worst")):
            title = f"{model_name(result.cell)}\n{which}: {panel.error:.1f} px"
            panels.append(panel._replace(title=title))
    return draw_paths(panels, columns=4)


def draw_noise_samples(results: Results) -> Figure:
    """Draw one sequence of every noise family as a model sees it.

    A family without cells in this scale is shown as the first scale that has it would.
    """
    strips = []
    for family in _all_families():
        cell = sample_cell(results, family)
        name = setting_name(family, cell.alpha).replace(" noise ", "\nnoise ").replace(", ", ",\n")
        strips.append(Strip(name, picture_samples(cell.config).seen[0]))
    return draw_strips(strips)


def _all_families() -> list[str]:
    levels = [load_grid(scale)["levels"] for scale in scales()]
    return list({family: None for there in levels for family in there if there[family]})


def sample_cell(results: Results, family: str) -> Cell | None:
    """Return a cell whose settings show a family: of this scale, else of the first that has it.

    None where no scale has it.
    """
    if family not in results.families:
        there = (name for name in scales() if load_grid(name)["levels"].get(family))
        if (scale := next(there, None)) is None:
            return None
        results = Results(scale, [CellResult(cell, None) for cell in cells_of(scale, family)])
    return reference_cells(results, family)[0].cell
