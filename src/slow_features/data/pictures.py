"""Pictures of sample sequences, to look at before anything is trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slow_features.data.batch import Batch
from slow_features.data.counters import SPLITS, Split
from slow_features.data.geometry import DOTS, IMAGE_SIZE, centre
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import StoredDataset
from slow_features.data.stream import BatchStream
from slow_features.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROWS = 5  # sequences in a picture
_COLUMNS = 17  # frames of each, the published length
_BATCH = 32  # over which the largest pixel m is taken
_COLOURS = ("tab:red", "tab:green", "tab:blue")  # of the dots; three channels are shown so too
_TILE = IMAGE_SIZE + 2  # px from one frame to the next
_RING = 3.2  # px, radius of the circle around a dot: about 2.5 sigma, so that it hides nothing


def draw_samples(dataset: StoredDataset, noise: NoiseSetting, folder: str | Path) -> list[Path]:
    """Write one PNG of sample sequences per split, `{split}.png`, and return their paths.

    Rows are sequences, columns are frames with their noise, a ring marks each dot's true
    location. The same data set gives the same bytes.
    """
    return [_write(dataset, split, noise, Path(folder) / f"{split}.png") for split in SPLITS]


def _write(dataset: StoredDataset, split: Split, noise: NoiseSetting, path: Path) -> Path:
    batch_size = min(_BATCH, dataset.spec.sizes[split])
    stream = BatchStream(
        dataset, split, noise, batch_size, channels=dataset.channels, normalize=False
    )
    figure = _draw(stream.batch(0), f"{split} split, noise {noise.key}")
    with atomic_file(path) as partial:
        figure.savefig(partial, dpi=110, metadata={"Software": None})
    return path


def _draw(batch: Batch, title: str) -> Figure:
    """Draw the first sequences of a batch that is not normalised, as one mosaic of frames."""
    from matplotlib.figure import Figure

    rows, steps = min(_ROWS, len(batch.states)), batch.states.shape[1]
    shown = np.unique(np.linspace(0, steps - 1, min(_COLUMNS, steps)).round().astype(int))
    frames = batch.states[:rows, shown].numpy()
    locations = batch.locations[:rows, shown].numpy()
    figure = Figure(figsize=(0.72 * len(shown) + 0.5, 0.72 * rows + 0.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(
        _mosaic(frames / frames.max()), cmap="gray", vmin=0, vmax=1, interpolation="nearest"
    )
    _mark_dots(axes, locations)
    axes.set_xticks(_TILE * np.arange(len(shown)) + centre(), shown, fontsize=7)
    names = [f"sequence {row}" for row in range(rows)]
    axes.set_yticks(_TILE * np.arange(rows) + centre(), names, fontsize=7)
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    dots = locations.shape[2]
    legend = "ring: true location" if dots == 1 else f"red, green, blue ring: {', '.join(DOTS)} dot"
    axes.set_title(f"{title}   (columns: frames; {legend})", fontsize=9)
    return figure


def _mosaic(frames: np.ndarray) -> np.ndarray:
    """Lay out frames [R, K, C, 28, 28] in [0, 1] as R rows of K, with white gaps.

    Returns [height, width, C]: grey for one channel, red, green and blue for three.
    """
    gap = [(0, _TILE - IMAGE_SIZE)] * 2
    padded = np.pad(frames, [(0, 0)] * 3 + gap, constant_values=1)
    rows, columns, channels = frames.shape[:3]
    tiles = padded.transpose(0, 3, 1, 4, 2)  # [R, height, K, width, C]
    return tiles.reshape(rows * _TILE, columns * _TILE, channels)


def _mark_dots(axes: Axes, locations: np.ndarray) -> None:
    """Draw a ring around each dot; locations [R, K, dots, 2] are (x, y) in px of a frame."""
    from matplotlib.patches import Circle

    for row, column, dot in np.ndindex(locations.shape[:3]):
        x, y = locations[row, column, dot] + _TILE * np.array([column, row])
        ring = Circle((x, y), _RING, fill=False, edgecolor=_COLOURS[dot], linewidth=0.9)
        axes.add_patch(ring)
