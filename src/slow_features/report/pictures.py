"""Figures of frames: sample sequences, and true and decoded paths drawn over a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from slow_features.data.geometry import IMAGE_SIZE
from slow_features.probe.result import Paths
from slow_features.report.style import NARROW, WIDE, in_lines, new_figure, panels, without_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GAP = 2  # px between the frames of a strip
_TILE = IMAGE_SIZE + _GAP
_TRUE, _DECODED = "#00B7FF", "#FF5CA8"  # readable on grey noise, told apart with any vision
_DOT_STYLES = ("-", "--", ":")  # action, random, stationary dot


class Strip(NamedTuple):
    """One sequence to show: its label and its frames [T, C, 28, 28], any range of grey."""

    label: str
    frames: np.ndarray


class PathPanel(NamedTuple):
    """A stored sequence with its paths: frame [C, 28, 28]; error, true, decoded [T, dots, 2], px.

    frame is None where no picture of it is asked for.
    """

    number: int
    error: float
    frame: np.ndarray | None
    true: np.ndarray
    decoded: np.ndarray


def draw_strips(strips: Sequence[Strip], width: float = WIDE) -> Figure:
    """Draw sequences as rows of frames from left to right; each row has its own range of grey.

    Every second frame, so that the dot is large enough to be seen; every fourth where it is narrow.
    """
    step = 4 if width == NARROW else 2
    figure = new_figure(0.2 + (0.64 if width == NARROW else 0.86) * len(strips), width)
    for axes, strip in zip(figure.subplots(len(strips), squeeze=False)[:, 0], strips, strict=True):
        shown = np.arange(0, len(strip.frames), step)
        _show(axes, _side_by_side(strip.frames[shown]), strip.frames.max())
        axes.set_ylabel(strip.label, rotation=0, ha="right", va="center", fontsize=8)
        if axes.get_subplotspec().is_first_row():
            axes.set_xticks(_TILE * np.arange(len(shown)) + IMAGE_SIZE / 2, shown, fontsize=8)
            axes.tick_params(length=0, labeltop=True, labelbottom=False, pad=1)
    return figure


def _show(axes: Axes, image: np.ndarray, brightest: float) -> None:
    """Show an image [height, width, C], grey or red-green-blue, 0 black."""
    without_frame(axes)
    axes.imshow(
        np.clip(image / max(brightest, 1e-9), 0, 1),
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="none",
    )


def _side_by_side(frames: np.ndarray) -> np.ndarray:
    """Lay frames [K, C, 28, 28] beside each other, white between: [28, K * 30 - 2, C]."""
    white = frames.max()
    padded = np.pad(frames, [(0, 0)] * 3 + [(0, _GAP)], constant_values=white)
    return padded.transpose(2, 0, 3, 1).reshape(IMAGE_SIZE, -1, frames.shape[1])[:, :-_GAP]


def path_errors(paths: Paths) -> np.ndarray:
    """Return the RMSE of each stored sequence over its time steps and dots, px."""
    difference = np.array(paths.true) - np.array(paths.decoded)  # [n, T, dots, 2]
    return np.sqrt((difference**2).sum(-1).mean((1, 2)))


def path_panels(paths: Paths, first_frames: np.ndarray | None = None) -> list[PathPanel]:
    """Return the stored sequences from the smallest error to the largest, over their frame 0.

    first_frames: [n, C, 28, 28].
    """
    errors = path_errors(paths)
    return [
        PathPanel(
            int(number),
            errors[number],
            None if first_frames is None else first_frames[number],
            np.array(paths.true[number]),
            np.array(paths.decoded[number]),
        )
        for number in np.argsort(errors, kind="stable")
    ]


def draw_paths(sequences: Sequence[PathPanel], width: float = WIDE) -> Figure:
    """Draw true and decoded paths over the first frame, the only one that the rollout sees."""
    figure, grid = panels(len(sequences), width, 2.0, 2.45)
    for axes, panel in zip(grid, sequences, strict=True):
        _draw_paths_of(axes, panel, f"sequence {panel.number}: {panel.error:.1f} px")
    _path_legend(figure, grid[0])
    return figure


def draw_path_table(
    columns: Mapping[str, Sequence[PathPanel]], rows: Sequence[str], width: float = WIDE
) -> Figure:
    """Draw paths as a table: a column for each method, a row for each way to choose a sequence."""
    across = max(1, int(width / 1.25))
    blocks = -(-len(columns) // across)
    across = -(-len(columns) // blocks)
    tile = width / across + 0.25
    figure = new_figure(0.4 + blocks * (0.3 + len(rows) * tile), width)
    grid = figure.subplots(blocks * len(rows), across, squeeze=False)
    for axes in grid.ravel():
        axes.set_visible(False)
    for place, (name, chosen) in enumerate(columns.items()):
        block, column = divmod(place, across)
        for row, panel in enumerate(chosen):
            axes = grid[block * len(rows) + row, column]
            axes.set_visible(True)
            error = f"{rows[row]}: {panel.error:.1f} px" if row else f"{panel.error:.1f} px"
            _draw_paths_of(axes, panel, error if row else f"{in_lines(name)}\n{error}")
    _path_legend(figure, grid[0, 0])
    return figure


def _draw_paths_of(axes: Axes, panel: PathPanel, title: str) -> None:
    _show(axes, panel.frame.transpose(1, 2, 0), panel.frame.max())
    axes.set_title(title, fontsize=8)
    _draw_path(axes, panel.true, _TRUE, "true path", "o")
    _draw_path(axes, panel.decoded, _DECODED, "decoded from the states", "X")
    axes.set(xlim=(-0.5, IMAGE_SIZE - 0.5), ylim=(IMAGE_SIZE - 0.5, -0.5))


def _path_legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=8.5)


def caption(*sentences: str) -> str:
    """Return a caption of those sentences that are not empty."""
    return " ".join(filter(None, sentences))


def channel_note(dots: int) -> str:
    """Return what the colours of frames mean, for a caption."""
    return "" if dots == 1 else "Red, green, blue: action, random, stationary dot."


def noise_note(source: str) -> str:
    """Return what structured noise is made of, for a caption; nothing of uniform noise."""
    if source == "uniform":
        return ""
    photographs = source == "photographs"
    return f"Structured noise: {'photographs, not CIFAR-10' if photographs else 'CIFAR-10'}."


def path_note(dots: int) -> str:
    """Return what the kinds of line mean, for a caption."""
    return "" if dots == 1 else "Solid, dashed, dotted: action, random, stationary dot."


def _draw_path(axes: Axes, path: np.ndarray, colour: str, label: str, marker: str) -> None:
    """Draw a path [T, dots, 2] with a marker at frame 0; each dot has its own kind of line."""
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=3, foreground="black", alpha=0.6)]
    for dot in range(path.shape[1]):
        axes.plot(
            *path[:, dot].T,
            color=colour,
            linestyle=_DOT_STYLES[dot],
            linewidth=1.5,
            marker=marker,
            markevery=[0],
            markersize=6,
            label=label if dot == 0 else None,
            path_effects=outline,
        )
