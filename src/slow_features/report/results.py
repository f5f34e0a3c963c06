"""The finished cells of a scale: what the grid asks for, and what is there of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from slow_features.errors import InputError
from slow_features.grid.cells import THREE_DOTS, TUNED_FAMILY, Cell
from slow_features.grid.definition import PUBLISHED
from slow_features.identity import other_settings
from slow_features.probe.start import start_errors
from slow_features.report.tables import NOT_RUN, NotRun, Value
from slow_features.results.files import RESULT_FILE, Outputs, Place, read_outputs

NO_NOISE = "0"  # the level that all noise families share


@dataclass(frozen=True)
class CellResult:
    """A cell of the grid and its outputs; None with the reason where it has none."""

    cell: Cell
    outputs: Outputs | None
    reason: str = ""

    @property
    def finished(self) -> Outputs:
        """The outputs of a cell that is known to have them."""
        if self.outputs is None:
            raise ValueError(f"{self.cell.path}: {self.reason}")
        return self.outputs

    def row_without_numbers(self, columns: int) -> Sequence[Value]:
        """Return the row of so many columns of a cell that has no result, with the reason."""
        row = (self.cell, self.reason, *[None] * (columns - 2))
        return NotRun(row) if self.reason == NOT_RUN else row

    def error_px(self, dot: str | None = None) -> float:
        """Return the RMSE in px, over all dots or of one."""
        errors = self.finished.result.pred
        return errors.per_dot_px[dot] if dot else errors.rmse_px

    def share(self, name: str) -> float:
        """Return a share of the variance of the encodings, by its name in metrics.json."""
        return self.finished.metrics[name]

    def mean_squares(self) -> np.ndarray:
        """Return the mean squared distances of the rollouts' probe, [T, dots] in px^2."""
        by_dot = self.finished.result.pred.per_step_per_dot_px
        return np.square(np.array(list(by_dot.values())).T)

    def start_mean_squares(self) -> np.ndarray:
        """Return those of the baseline "start" on the same sequences, see `probe.start`."""
        config = self.cell.config
        return start_errors(
            config.dots,
            config.dataset_dot_std,
            config.val_n_steps,
            config.probing_cfg.sequences,
            config.val_dataset_size,
        )

    def start_px(self, dot: str | None = None) -> float:
        """Return the RMSE of knowing where each dot was at first and nothing of its moves, px."""
        squares = self.start_mean_squares()
        if dot:
            squares = squares[:, list(self.finished.result.pred.per_dot_px).index(dot)]
        return float(np.sqrt(squares.mean()))

    def centre_px(self, dot: str | None = None) -> float:
        """Return the RMSE of always answering the centre on the same sequences, px."""
        errors = self.finished.result.centre
        return errors.per_dot_px[dot] if dot else errors.rmse_px


def recorded(cell: Cell) -> Place:
    """Return where a cell's result lies in git."""
    return Place.recorded(cell.path)


def read_cells(
    cells: Iterable[Cell], place_of: Callable[[Cell], Place] = recorded
) -> list[CellResult]:
    """Read what there is of each cell, from git or from where `place_of` says.

    A cell without a result is not run; so is one whose files are damaged or were made with other
    settings than the grid has now: the reason says which.
    """
    return [_read(cell, place_of(cell)) for cell in cells]


def _read(cell: Cell, place: Place) -> CellResult:
    if not (place.probe / RESULT_FILE).exists():
        return CellResult(cell, None, NOT_RUN)
    try:
        outputs = read_outputs(place)
    except InputError as error:
        return CellResult(cell, None, f"not readable: {error}")
    other = other_settings(cell.config, outputs.summary.settings)
    if other:
        return CellResult(cell, None, f"made with other settings: {', '.join(other)}")
    return CellResult(cell, outputs)


def all_there(cells: Sequence[CellResult]) -> bool:
    """Return whether there are cells of a setting, and all of them are finished."""
    return bool(cells) and all(cell.outputs for cell in cells)


def mean_error(cells: Sequence[CellResult], dot: str | None = None) -> float | None:
    """Return the mean over the seeds of one setting, px; None unless all of them are there."""
    return fmean(cell.error_px(dot) for cell in cells) if all_there(cells) else None


class Results:
    """All cells of a scale, finished or not, found by what they are."""

    def __init__(self, scale: str, cells: Sequence[CellResult]) -> None:
        self.scale, self.cells = scale, list(cells)

    @property
    def finished(self) -> list[CellResult]:
        """The cells that have a result."""
        return [result for result in self.cells if result.outputs]

    @property
    def families(self) -> list[str]:
        """Noise families with cells in this scale, in the grid's order."""
        return list(dict.fromkeys(result.cell.family for result in self.cells))

    @property
    def shown_families(self) -> list[str]:
        """The families that figures show: those of which something has run, else all of them."""
        have_run = {result.cell.family for result in self.finished}
        return [family for family in self.families if family in have_run] or self.families

    def of(self, family: str, alpha: str, model: str, variant: str = PUBLISHED) -> list[CellResult]:
        """Return the cells of one setting, one for each seed; none if it is not in the scale.

        Alpha 0 is no noise at all, so every family of one dot has it from `changing_uniform`.
        """
        if float(alpha) == 0 and family != THREE_DOTS:
            family = TUNED_FAMILY
        return [
            result
            for result in self.cells
            if (result.cell.family, result.cell.model_type) == (family, model)
            and result.cell.variant == variant
            and float(result.cell.alpha) == float(alpha)
        ]

    def levels(self, family: str, model: str, variant: str = PUBLISHED) -> list[str]:
        """Return the levels at which the scale has cells of a model, ascending, with alpha 0."""
        found = {
            result.cell.alpha
            for result in self.cells
            if (result.cell.model_type, result.cell.variant) == (model, variant)
            and (result.cell.family == family or _shared(result.cell, family))
        }
        return sorted(found, key=float)

    def reference_level(self, family: str) -> str | None:
        """Return the level nearest to 1.5 of a family: the one that its example pictures show."""
        levels = {r.cell.alpha for r in self.cells if r.cell.family == family}
        return min(levels, key=lambda alpha: (abs(float(alpha) - 1.5), alpha), default=None)


def _shared(cell: Cell, family: str) -> bool:
    """Return whether a cell without noise stands for another family of one dot, too."""
    return cell.family == TUNED_FAMILY and float(cell.alpha) == 0 and family != THREE_DOTS
