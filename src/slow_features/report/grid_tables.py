"""Tables over all cells of a scale: table 1, control, probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np

from slow_features.data.geometry import DOTS, to_unit_square
from slow_features.grid.cells import THREE_DOTS, TUNED_FAMILY, Cell
from slow_features.grid.definition import PUBLISHED
from slow_features.models.registry import MODELS
from slow_features.probe.start import mean_of_roots, root_of_mean
from slow_features.report.criteria import Trained
from slow_features.report.measurements import has_trained, training_facts
from slow_features.report.mechanism import over_copy
from slow_features.report.names import (
    is_remedy,
    is_searched,
    model_name,
    searched_in_words,
    variant_name,
    variants,
)
from slow_features.report.results import NO_NOISE, CellResult, Results, all_there
from slow_features.report.style import method, methods
from slow_features.report.tables import NOT_RUN, NotRun, Table, Value

AVERAGE = "average"  # over the three dots
_BY_ADAM = ("ours, by Adam", "difference by Adam")


def table1(results: Results, published: Mapping[str, Any]) -> Table:
    """Return the paper's table 1 with ours beside it, on the unit square.

    No hyper-parameters were published for three dots. So a method stands there with those of one
    dot, and again with those that a search has found, where the scale has such cells.
    """
    rows: list[Sequence[Value]] = []
    searched = dict.fromkeys(r.cell.variant for r in results.cells if is_searched(r.cell))
    unpublished = []
    for name in methods():
        known = published["table_1_three_dots"].get(name, {})
        unpublished += [] if known else [method(name).label]
        for variant in (PUBLISHED, *searched):
            cells = results.of(THREE_DOTS, NO_NOISE, name, variant)
            if cells or variant == PUBLISHED:
                label = model_name(cells[0].cell) if cells else method(name).label
                rows += [_table1_row(label, dot, known, cells) for dot in (AVERAGE, *DOTS)]
    rows += _start_rows(results)
    ours = ("ours", "our std", "difference", "ours, mean of roots", "difference of that")
    columns = ("method", "dot", "published", "published std", *ours, *_BY_ADAM)
    by_adam = "By Adam: the published probe on the same weights, root of the mean. "
    if not any(r.finished.adam for r in results.finished if r.cell.family == THREE_DOTS):
        by_adam, columns = "", columns[: -len(_BY_ADAM)]
        rows = [type(row)(row[: len(columns)]) for row in rows]
    return Table(
        "table1",
        "Table 1: three dots, RMSE on the unit square",
        "Only the action dot's moves are told to a model. Ours: the root of the mean over the 17 "
        "steps. Mean of roots: the mean over steps of each step's root, which is smaller; the "
        "paper does not say which of the two it printed. Start: the error of knowing exactly where "
        "each dot was in frame 0, and nothing of its moves; no model can do better on the random "
        f"dot. std: over the seeds. A dash: not published, or a single seed. {by_adam}Without "
        f"published numbers: {', '.join(unpublished)}. For three dots no hyper-parameters were "
        "published: these are those of one dot without noise."
        f"{searched_in_words(r for r in results.cells if r.cell.family == THREE_DOTS)}",
        columns,
        rows,
        dict.fromkeys(columns[2:], 3),
        merged=1,
    )


def _table1_row(
    label: str, dot: str, known: Mapping[str, float], cells: Sequence[CellResult]
) -> Sequence[Value]:
    theirs, their_std = known.get(dot), known.get(f"{dot}_std")
    start = (label, dot, theirs, their_std)
    if not all_there(cells):
        return NotRun((*start, NOT_RUN, *[None] * 6))
    both = [_both_averages(cell.mean_squares(), dot) for cell in cells]
    ours, of_roots = (fmean(errors) for errors in zip(*both, strict=True))
    spread = stdev(errors for errors, _ in both) if len(both) > 1 else None
    by_adam = _error_by_adam(cells, dot)
    apart = [
        None if None in (theirs, error) else error - theirs for error in (ours, of_roots, by_adam)
    ]
    return (*start, ours, spread, apart[0], of_roots, apart[1], by_adam, apart[2])


def _error_by_adam(cells: Sequence[CellResult], dot: str) -> float | None:
    """Return the mean over the cells that the published probe was fitted for, unit square."""
    found = [adam.pred for cell in cells if (adam := cell.finished.adam)]
    errors = [one.rmse_px if dot == AVERAGE else one.per_dot_px[dot] for one in found]
    return to_unit_square(fmean(errors)) if errors else None


def _start_rows(results: Results) -> list[Sequence[Value]]:
    """Return the rows of the baseline "start", if a cell with three dots is there to compare."""
    cells = [cell for cell in results.finished if cell.cell.family == THREE_DOTS]
    if not cells:
        return []
    rows = []
    for dot in (AVERAGE, *DOTS):
        error, of_roots = _both_averages(cells[0].start_mean_squares(), dot)
        rows.append(("start", dot, None, None, error, None, None, of_roots, None, None, None))
    return rows


def _both_averages(mean_squares: np.ndarray, dot: str) -> tuple[float, float]:
    """Return the root of the mean over steps and the mean of the roots, on the unit square.

    mean_squares: [T, dots] in px^2. Dots are averaged in squares, as the published averages are.
    """
    of_dot = mean_squares.mean(1) if dot == AVERAGE else mean_squares[:, DOTS.index(dot)]
    return to_unit_square(float(root_of_mean(of_dot))), to_unit_square(float(mean_of_roots(of_dot)))


def is_control(cell: Cell) -> bool:
    """Return whether a cell has the hyper-parameters of another noise family than its own."""
    own = cell.variant == PUBLISHED or is_remedy(cell) or is_searched(cell)
    return not own and cell.family != TUNED_FAMILY


def control_table(results: Results, trained: Trained) -> Table:
    """Return all variants of what has a control: did the training work?"""
    controls = {(r.cell.family, r.cell.model_type) for r in results.cells if is_control(r.cell)}
    order = variants(results)
    there = [r for r in results.cells if (r.cell.family, r.cell.model_type) in controls]
    columns = (
        "cell",
        "RMSE, px",
        "first loss",
        "last loss",
        "encoder moved",
        "prediction / copy",
        "time share",
        "training",
    )
    return Table(
        "control",
        "Trained or not, where JEPA fails",
        _control_caption(there, trained) + searched_in_words(there),
        columns,
        [
            _control_row(result, trained)
            for result in sorted(there, key=lambda r: _control_order(r.cell, order))
        ],
        {"RMSE, px": 2, "encoder moved": 4, "time share": 4},
        dict.fromkeys(("first loss", "last loss", "prediction / copy"), 3),
    )


def _control_caption(there: Sequence[CellResult], trained: Trained) -> str:
    files = {
        variant_name(result.cell.variant): change.value
        for result in there
        for change in result.cell.changes
        if change.key == "hyper-parameters of"
    }
    taken = "; ".join(f"{name}: those of another file, as of {f}" for name, f in files.items())
    return (
        f"Published: the cell's own best hyper-parameters; {taken}. "
        "Encoder moved: |w - w0| / |w0|. Prediction / copy: mean squared error "
        "of the predicted encodings over that of copying the encoding of frame 0, the solution "
        "that is constant in time; above 1: worse than copying frame 0. None for "
        f"{', '.join(_without_distances())}, whose loss looks at directions alone: there, squared "
        "distances say nothing. "
        "Time share: how much of the encodings' variance lies within sequences; 0 is constant in "
        f"time. Trained: the loss fell by {trained.loss_falls:.0%} or more and the encoder moved "
        f"by {trained.encoder_moves:g} or more. At a high temperature a contrastive loss "
        "has little room to fall, so a network may have learned although it hardly fell."
    )


def _without_distances() -> list[str]:
    return [look.label for name, look in methods().items() if not MODELS[name].learns_distances]


def _control_order(cell: Cell, order: Sequence[str]) -> tuple:
    return cell.family, float(cell.alpha), cell.model_type, order.index(cell.variant), cell.seed


def _control_row(result: CellResult, trained: Trained) -> Sequence[Value]:
    if result.outputs is None:
        return NotRun((result.cell, *[None] * 6, NOT_RUN))
    curve = result.outputs.curve or [{"loss": None}]
    _, moved = training_facts(result)
    return (
        result.cell,
        result.error_px(),
        curve[0]["loss"],
        curve[-1]["loss"],
        moved,
        *_dynamics(result),
        _training_in_words(result, trained),
    )


def _training_in_words(result: CellResult, trained: Trained) -> str:
    """Return whether a training counts as having worked and, if not, what falls short."""
    if has_trained(result, trained):
        return "trained"
    _, moved = training_facts(result)
    return "hardly moved" if moved < trained.encoder_moves else "loss hardly fell"


def _dynamics(result: CellResult) -> tuple[Value, Value]:
    """Return prediction error over copying error, and the share of variance over time."""
    measured = result.finished.dynamics
    comparable = MODELS[result.cell.model_type].learns_distances
    return over_copy(measured) if comparable else None, measured.get("variance_over_time")


def probe_table(results: Results) -> Table:
    """Return the closed-form probe beside the published one, wherever both were fitted."""
    rows: list[Sequence[Value]] = []
    for result in results.cells:
        if result.outputs and result.outputs.adam:
            closed, adam = result.error_px(), result.outputs.adam.pred.rmse_px
            rows.append((result.cell, closed, adam, adam / closed))
        elif result.cell.adam_probe:
            rows.append(NotRun((result.cell, NOT_RUN, NOT_RUN, None)))
    columns = ("cell", "closed form, px", "Adam, px", "Adam / closed form")
    return Table(
        "probes",
        "Two solvers of the probe",
        "The same weights read by least squares in closed form, as everywhere on this page, and by "
        "the published probe (Adam, 30 epochs). A model with a probe of its own brings it to both.",
        columns,
        rows,
        {columns[1]: 2, columns[2]: 2, columns[3]: 3},
    )
