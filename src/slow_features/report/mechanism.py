"""Why it fails: what the embeddings of every method hold, as a figure and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from slow_features.data.noise import NoiseSetting
from slow_features.report.names import is_remedy, model_name, setting_name, variants
from slow_features.report.results import CellResult, Results
from slow_features.report.style import REMARK, WIDE, legend_below, methods, new_figure
from slow_features.report.tables import NOT_RUN, Table, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# From left to right in a bar: share, its name, its colour. Grey is what distracts; the hatched part
# is both, so it lies between. Told apart in grey, too.
_PARTS = (
    ("noise_share", "noise", "#4D4D4D", ""),
    ("interaction_share", "both together", "#C9DDE8", "////"),
    ("dot_share", "dot", "#3DB7E4", ""),
)

Bars = dict[str, list[CellResult]]

CAPTION = (
    "The same dots on the same noise images in all combinations: how much of the variance of the "
    "encodings is explained by which noise image it is, by where the dots are, and by both "
    "together (what a dot changes depends on its noise); one level of each family. Right of a bar: "
    "the probe's error on rollouts. At fixed noise the noise image is the same in every frame of a "
    "sequence, so an encoding that is nothing but noise is predicted perfectly. Changing noise "
    "says nothing of the next frame: there, the share of noise is what a loss has not filtered out."
)
_SEEDS = " Means over the seeds; points: the borders of each seed."


def draw_mechanism(results: Results, width: float = WIDE) -> Figure:
    """Draw the shares of noise, dot and both, a bar for each method and a panel for each family.

    Remedies have a figure of their own.
    """
    families = _noisy_families(results)
    return _draw(results, {f: _bars(results, f, remedies=False) for f in families}, width)


def draw_repaired(results: Results, width: float = WIDE) -> Figure:
    """Draw the same of fixed noise, with every remedy below what it repairs."""
    return _draw(results, {f: _bars(results, f) for f in _fixed_families(results)}, width)


def _draw(results: Results, shown: Mapping[str, Bars], width: float) -> Figure:
    bars = [len(bars) for bars in shown.values()]
    figure = new_figure(0.6 + sum(0.5 + 0.27 * count for count in bars), width)
    grid = figure.subplots(len(shown), squeeze=False, sharex=True, height_ratios=bars)[:, 0]
    for axes, (family, cells) in zip(grid, shown.items(), strict=True):
        _draw_panel(axes, cells)
        axes.set_title(setting_name(family, results.reference_level(family)))
    grid[-1].set_xlabel("share of the variance of the encodings")
    legend_below(figure, dict(zip(*reversed(grid[0].get_legend_handles_labels()), strict=True)))
    return figure


def mechanism_alt(results: Results, remedies: bool = False) -> str:
    """Return what the figure, or the one with remedies, shows: each bar's share of noise."""
    said = []
    for family in _fixed_families(results) if remedies else _noisy_families(results):
        bars = {
            name: fmean(c.finished.dynamics["noise_share"] for c in _measured(cells))
            for name, cells in _bars(results, family, remedies).items()
            if _measured(cells)
        }
        shares = "; ".join(f"{name} {share:.2f}" for name, share in bars.items())
        setting = setting_name(family, results.reference_level(family))
        said.append(f"{setting}: {shares or 'nothing has run'}.")
    return f"Share of noise in the variance of the encodings. {' '.join(said)}"


def mechanism_caption(results: Results) -> str:
    """Return what the figure shows."""
    several = len({result.cell.seed for result in results.cells}) > 1
    return CAPTION + (_SEEDS if several else " One seed.")


def _noisy_families(results: Results) -> dict[str, NoiseSetting]:
    """Return the families to show whose reference level has noise, fixed noise first."""
    shown = results.shown_families
    noisy = {
        result.cell.family: NoiseSetting.from_config(result.cell.config)
        for result in results.cells
        if result.cell.family in shown
        and result.cell.alpha == results.reference_level(result.cell.family)
        and _has_noise(result)
    }
    return dict(sorted(noisy.items(), key=lambda item: not item[1].fixed))


def _fixed_families(results: Results) -> list[str]:
    return [family for family, noise in _noisy_families(results).items() if noise.fixed]


def has_mechanism(results: Results) -> bool:
    """Return whether the scale has cells whose embedding can hold noise."""
    return bool(_noisy_families(results))


def has_repaired(results: Results) -> bool:
    """Return whether what a remedy does to embeddings was measured at fixed noise."""
    return any(
        is_remedy(cells[0].cell) and _measured(cells)
        for family in _fixed_families(results)
        for cells in _bars(results, family).values()
    )


def _has_noise(result: CellResult) -> bool:
    return NoiseSetting.from_config(result.cell.config).alpha > 0


def _bars(results: Results, family: str, remedies: bool = True) -> Bars:
    """Return the cells of each bar by its name: one method and variant, one cell for each seed."""
    level, order, last = results.reference_level(family), list(methods()), variants(results)
    cells = [
        r
        for r in results.cells
        if (r.cell.family, r.cell.alpha) == (family, level) and (remedies or not is_remedy(r.cell))
    ]
    bars: Bars = {}
    for r in sorted(
        cells, key=lambda r: (order.index(r.cell.model_type), last.index(r.cell.variant))
    ):
        bars.setdefault(model_name(r.cell), []).append(r)
    return bars


def _measured(cells: Sequence[CellResult]) -> list[CellResult]:
    return [cell for cell in cells if cell.outputs and "noise_share" in cell.outputs.dynamics]


def _draw_panel(axes: Axes, bars: Bars) -> None:
    for row, cells in enumerate(bars.values()):
        if _measured(cells):
            _draw_bar(axes, row, _measured(cells))
        else:
            axes.text(0.01, row, NOT_RUN, va="center", fontsize=7.5, **REMARK)
    axes.set_yticks(range(len(bars)), bars.keys())
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _draw_bar(axes: Axes, row: int, cells: Sequence[CellResult]) -> None:
    start = 0.0
    for name, label, colour, hatch in _PARTS:
        width = fmean(cell.finished.dynamics[name] for cell in cells)
        look = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.5}
        axes.barh(row, width, left=start, height=0.72, label=label if row == 0 else "", **look)
        start += width
    if len(cells) > 1:
        measured = [cell.finished.dynamics for cell in cells]
        borders = [m["noise_share"] for m in measured] + [1 - m["dot_share"] for m in measured]
        look = {"color": "white", "edgecolors": "black", "linewidths": 0.6, "zorder": 3}
        axes.scatter(borders, [row] * len(borders), s=11, clip_on=False, **look)
    error = fmean(cell.error_px() for cell in cells)
    axes.text(1.01, row, f"{error:.2f} px", va="center", fontsize=8)


def mechanism_table(results: Results) -> Table:
    """Return what the embedding of every cell with noise holds, and how well it is predicted."""
    shares = ("noise", "dot", "both", "over time")
    ratios = ("prediction / copy", "on directions")
    columns = (
        "cell",
        "RMSE, px",
        *shares,
        "noise read out, R2",
        "effective rank",
        *ratios,
        "motion R2",
    )
    rows = [_row(result) for result in results.cells if _has_noise(result)]
    return Table(
        "mechanism",
        "What the embeddings hold",
        "Noise, dot, both: shares of the variance of the encodings, as in the figure. Over time: "
        "the share that lies within sequences; 0 is constant in time. Noise read out: how much of "
        "the pixels of the noise a linear map finds in the encoding, held out. Effective rank: of "
        "the encodings (RankMe); high is no success. Prediction / copy: error of the predicted "
        "encodings over that of copying frame 0's; on directions: the same of unit vectors, for "
        "losses that leave lengths free. Predicting the mean over time gives about 0.5. Motion R2: "
        "how much of what moves in the encodings a linear map finds in the rollout, held out. A "
        "dash: the states of the method do not predict encodings.",
        columns,
        rows,
        dict.fromkeys(shares, 3)
        | {"RMSE, px": 2, "noise read out, R2": 2, "effective rank": 0, "motion R2": 2},
        dict.fromkeys(ratios, 3),
    )


def _row(result: CellResult) -> Sequence[Value]:
    cell = result.cell
    if result.outputs is None:
        return result.row_without_numbers(11)
    found = result.outputs.dynamics
    return (
        cell,
        result.error_px(),
        *[found.get(f"{part}_share") for part in ("noise", "dot", "interaction")],
        *[found.get(measure) for measure in ("variance_over_time", "noise_r2", "effective_rank")],
        over_copy(found),
        over_copy(found, "direction_"),
        found.get("motion_r2"),
    )


def over_copy(found: Mapping[str, float], of: str = "") -> float | None:
    """Return the error of predicted encodings over that of copying frame 0's, None without one.

    of: "direction_" for the same of unit vectors.
    """
    error, copy = found.get(f"prediction_{of}mse"), found.get(f"copy_{of}mse")
    return error / copy if error is not None and copy else None
