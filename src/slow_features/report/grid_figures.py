"""Figures over all cells of a scale, besides figure 3 and losses: by frame, paths, samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from slow_features.grid.cells import Cell, cells_of
from slow_features.grid.definition import load_grid, noise_families, scales
from slow_features.report.names import listed, look_of, model_name, setting_name
from slow_features.report.pictures import Strip, draw_path_table, draw_strips, path_panels
from slow_features.report.results import CellResult, Results
from slow_features.report.style import CENTRE_COLOUR, WIDE, legend_below, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHARED = 0  # the stored sequence that all methods are shown on


def reference_cells(results: Results, family: str) -> list[CellResult]:
    """Return the cells that example pictures of a family show: one level, the first seed."""
    level = results.reference_level(family)
    chosen = [r for r in results.cells if (r.cell.family, r.cell.alpha) == (family, level)]
    first_seed = min((r.cell.seed for r in chosen), default=0)
    return [r for r in chosen if r.cell.seed == first_seed]


def draw_errors_by_frame(results: Results, width: float = WIDE) -> Figure:
    """Draw RMSE by frame of every method, a panel for each family at its reference level."""
    families = results.shown_families
    figure, grid = panels(len(families), width, 4.0, 2.9, sharey=True)
    for axes, family in zip(grid, families, strict=True):
        _errors_panel(axes, results, reference_cells(results, family))
        axes.set_title(setting_name(family, results.reference_level(family)))
    grid[0].set_ylim(bottom=0)
    legend_below(figure, {line.get_label(): line for a in grid for line in a.get_lines()})
    return figure


def _errors_panel(axes: Axes, results: Results, cells: Sequence[CellResult]) -> None:
    there = [cell for cell in cells if cell.outputs]
    for cell in there:
        values, look = cell.finished.result.pred.per_step_px, look_of(results, cell.cell)
        axes.plot(values, **look, markersize=3.5, label=model_name(cell.cell))
    if there:
        centre = there[0].finished.result.centre.per_step_px
        axes.plot(centre, color=CENTRE_COLOUR, linewidth=0.8, label="Centre")
        start = np.sqrt(there[0].start_mean_squares().mean(1))
        look = {"color": CENTRE_COLOUR, "linewidth": 0.8, "linestyle": ":"}
        axes.plot(start, **look, label="Start known, moves not")
    axes.set_xlabel("frame")
    axes.set_xticks(range(0, 17, 4))
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel("RMSE, px")


def missing_by_frame(results: Results) -> str:
    """Return in words which methods a panel of the figure would show and have not run, if any."""
    said = []
    for family in results.shown_families:
        cells = [cell for cell in reference_cells(results, family) if not cell.outputs]
        names = dict.fromkeys(model_name(cell.cell) for cell in cells)
        if names:
            setting = setting_name(family, results.reference_level(family))
            said.append(f"with {setting} {listed(names)}")
    return f"Not run: {'; '.join(said)}." if said else ""


def errors_by_frame_alt(results: Results) -> str:
    """Return what the figure shows: the error at frame 0, and at the last frame."""
    said = []
    for family in results.shown_families:
        curves = {
            model_name(cell.cell): cell.finished.result.pred.per_step_px
            for cell in reference_cells(results, family)
            if cell.outputs
        }
        ends = [f"{name} {px[0]:.1f} to {px[-1]:.1f}" for name, px in curves.items()]
        setting = setting_name(family, results.reference_level(family))
        said.append(f"{setting}: {'; '.join(ends) or 'nothing has run'}.")
    return f"Error in px at the first and at the last frame. {' '.join(said)}"


def draw_family_paths(results: Results, family: str, width: float = WIDE) -> Figure:
    """Draw for every method the same stored sequence, then its best and its worst one."""
    from slow_features.report.samples import picture_samples  # needs torch

    finished = _with_paths(results, family)
    first_frames = picture_samples(finished[0].cell.config).seen[:, 0]  # the same for all
    methods = {}
    for result in finished:
        ordered = path_panels(result.finished.paths, first_frames)
        shared = next(panel for panel in ordered if panel.number == _SHARED)
        methods[model_name(result.cell)] = [shared, ordered[0], ordered[-1]]
    return draw_path_table(methods, ("the same sequence", "best", "worst"), width)


def has_paths(results: Results, family: str) -> bool:
    """Return whether a cell of the family's reference level is finished."""
    return bool(_with_paths(results, family))


def _with_paths(results: Results, family: str) -> list[CellResult]:
    return [result for result in reference_cells(results, family) if result.outputs]


def paths_alt(results: Results, family: str) -> str:
    """Return what the figure shows: the error of each method on the sequence that all share."""
    errors = {
        model_name(result.cell): next(
            panel.error for panel in path_panels(result.finished.paths) if panel.number == _SHARED
        )
        for result in _with_paths(results, family)
    }
    said = "; ".join(f"{name} {error:.1f}" for name, error in errors.items())
    return f"True and decoded paths. On the sequence that all share, RMSE in px: {said}."


def draw_noise_samples(results: Results, width: float = WIDE) -> Figure:
    """Draw one sequence of every noise family as a model sees it.

    A family without cells in this scale is shown as the first scale that has it would.
    """
    from slow_features.report.samples import picture_samples  # needs torch

    strips = []
    for family in all_families():
        cell = sample_cell(results, family)
        name = setting_name(family, cell.alpha).replace(" noise ", "\nnoise ").replace(", ", ",\n")
        strips.append(Strip(name, picture_samples(cell.config).seen[0]))
    return draw_strips(strips, width)


def all_families() -> list[str]:
    """Return the noise families of which some scale has cells, in the grid's order."""
    levels = [load_grid(scale)["levels"] for scale in scales()]
    return [family for family in noise_families() if any(there.get(family) for there in levels)]


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
