"""Loss curves of all cells of a noise family: which trained, and which hardly moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from slow_features.models.registry import MODELS
from slow_features.report.curves import epoch_label, relative_loss
from slow_features.report.names import model_name
from slow_features.report.results import CellResult, Results
from slow_features.report.style import CENTRE_COLOUR, REMARK, WIDE, in_lines, legend_below, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEVEL_COLOURS = "viridis"  # of alpha, dark to bright


def draw_loss_panels(results: Results, family: str, width: float = WIDE) -> Figure:
    """Draw the loss of all cells of a family relative to its first value, a panel for each method.

    Relative, since coefficients differ between levels; a line that stays at 1 has not trained.
    """
    groups = trained_groups(results, family)
    figure, grid = panels(len(groups), width, 1.9, 2.2, sharey=True)
    colours = _level_colours(results, family)
    for axes, (name, cells) in zip(grid, groups.items(), strict=True):
        for cell in cells:
            if cell.outputs and cell.outputs.curve:
                _draw_relative_loss(axes, cell, colours[cell.cell.alpha])
        _say_missing_levels(axes, cells)
        axes.set_title(in_lines(name), fontsize=8.5)
        axes.axhline(1, color=CENTRE_COLOUR, linewidth=0.6)
        axes.set_xlabel(epoch_label(cells[0].cell.config.dataset_size), fontsize=8)
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("loss / first loss")
    if grid:
        grid[0].set_ylim(0, 1.15)
    _level_legend(figure, colours)
    return figure


def trained_groups(results: Results, family: str) -> dict[str, list[CellResult]]:
    """Return the cells of a family that are trained, by method and variant."""
    groups: dict[str, list[CellResult]] = {}
    for result in results.cells:
        if result.cell.family == family and MODELS[result.cell.model_type].trains:
            groups.setdefault(model_name(result.cell), []).append(result)
    return groups


def losses_alt(results: Results, family: str) -> str:
    """Return what the figure shows: where each loss ends, as a share of its first value."""
    said = []
    for name, cells in trained_groups(results, family).items():
        ends = [
            relative_loss(cell.cell.model_type, cell.outputs.curve)[-1]
            for cell in cells
            if cell.outputs and cell.outputs.curve
        ]
        if ends:
            low, high = f"{min(ends):.2f}", f"{max(ends):.2f}"
            said.append(f"{name} {low}" if low == high else f"{name} {low} to {high}")
    return f"The last loss over the first: {'; '.join(said) or 'nothing has run'}."


def _draw_relative_loss(axes: Axes, cell: CellResult, colour: str) -> None:
    curve = cell.finished.curve
    relative = relative_loss(cell.cell.model_type, curve)
    axes.plot([row["epoch"] for row in curve], relative, color=colour, linewidth=1.2)


def _say_missing_levels(axes: Axes, cells: Sequence[CellResult]) -> None:
    missing = list(dict.fromkeys(cell.cell.alpha for cell in cells if not cell.outputs))
    if missing:
        axes.text(
            0.04,
            0.04,
            f"not run: alpha {', '.join(missing)}",
            transform=axes.transAxes,
            fontsize=7,
            **REMARK,
        )


def _level_colours(results: Results, family: str) -> dict[str, str]:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    levels = sorted({r.cell.alpha for r in results.cells if r.cell.family == family}, key=float)
    steps = np.linspace(0.05, 0.85, len(levels)) if len(levels) > 1 else [0.3]
    return {
        level: to_hex(colormaps[_LEVEL_COLOURS](step))
        for level, step in zip(levels, steps, strict=True)
    }


def _level_legend(figure: Figure, colours: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    named = {f"alpha {level}": Line2D([], [], color=colour) for level, colour in colours.items()}
    legend_below(figure, named)
