"""Figures of numbers over time: loss terms over a training, errors over the frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from slow_features.data.geometry import IMAGE_SIZE
from slow_features.models.registry import MODELS
from slow_features.report.style import CENTRE_COLOUR, NARROW, WIDE, legend_below, new_figure, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NOT_TERMS = ("step", "epoch")


class Line(NamedTuple):
    """Errors by frame: what they are, in px, and how to draw them."""

    label: str
    values: Sequence[float]
    colour: str
    style: str = "-"


def loss_terms(curve: Sequence[Mapping[str, float]]) -> list[str]:
    """Return the names of the losses in a curve, "loss" (the sum that is minimised) first."""
    return [name for name in curve[0] if name not in _NOT_TERMS] if curve else []


def relative_loss(model_type: str, curve: Sequence[Mapping[str, float]]) -> list[float]:
    """Return a loss over its first value, without the constant that no training can lower.

    As a share, the constant would hide the rest.
    """
    losses = [row["loss"] - MODELS[model_type].loss_floor for row in curve]
    return [loss / (losses[0] or 1.0) for loss in losses]


def epoch_label(sequences: int) -> str:
    """Return the label of an axis of epochs: an epoch is one pass over so many sequences."""
    return f"epoch ({sequences:,} sequences)"


def draw_loss_curves(
    curve: Sequence[Mapping[str, float]], colour: str, epoch_sequences: int, width: float = WIDE
) -> Figure:
    """Draw each loss term over the epochs in a panel of its own, since their sizes differ."""
    terms = loss_terms(curve)
    figure, grid = panels(len(terms), min(width, max(3.2, 2.25 * len(terms))), 2.0, 2.0)
    for axes, term in zip(grid, terms, strict=True):
        axes.plot([row["epoch"] for row in curve], [row[term] for row in curve], color=colour)
        axes.set_title("loss (weighted sum)" if term == "loss" else f"term: {term}")
        axes.set_xlabel(epoch_label(epoch_sequences))
        axes.margins(x=0.02)
    return figure


def loss_curves_alt(curve: Sequence[Mapping[str, float]]) -> str:
    """Return what the figure shows: each term at the first and at the last step."""
    ends = [f"{term} {curve[0][term]:.3g} to {curve[-1][term]:.3g}" for term in loss_terms(curve)]
    return f"From the first to the last step: {'; '.join(ends)}."


def draw_error_by_frame(
    lines: Sequence[Line], centre: Sequence[float], width: float = WIDE
) -> Figure:
    """Draw RMSE by time step, px on the left and the paper's unit square on the right."""
    figure = new_figure(3.4, width)
    axes = figure.subplots()
    axes.plot(range(len(centre)), centre, color=CENTRE_COLOUR, linewidth=0.8, label="centre")
    for line, marker in zip(lines, "os^", strict=False):
        look = {"color": line.colour, "linestyle": line.style, "marker": marker, "markersize": 3.5}
        axes.plot(range(len(line.values)), line.values, **look, label=line.label)
    axes.set_xlabel(
        "frame (0 is seen" + (")" if width == NARROW else ", the others are predicted)")
    )
    axes.set_ylabel("RMSE, px")
    axes.set_xticks(range(0, len(centre), 2))
    axes.set_ylim(0, 1.06 * max(axes.dataLim.y1, 1e-9))
    unit_axis(axes)
    legend_below(figure, {line.get_label(): line for line in axes.get_lines()})
    return figure


def error_by_frame_alt(lines: Sequence[Line], centre: Sequence[float]) -> str:
    """Return what the figure shows: each error at frame 0 and at the last frame."""
    ends = [f"{line.label} {line.values[0]:.1f} to {line.values[-1]:.1f}" for line in lines]
    return (
        f"Error in px at the first and at the last frame: {'; '.join(ends)}; always the centre "
        f"{centre[0]:.1f} to {centre[-1]:.1f}."
    )


def unit_axis(axes: Axes, label: str = "RMSE, unit square (px / 28)") -> None:
    """Add the paper's unit on the right of an axis in px."""
    right = axes.secondary_yaxis(
        "right", functions=(lambda px: px / IMAGE_SIZE, lambda unit: unit * IMAGE_SIZE)
    )
    right.set_ylabel(label)
