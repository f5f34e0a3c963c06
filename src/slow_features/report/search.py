"""The page about searches: what each study found, beside the choices that were published."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from slow_features import paths
from slow_features.files import atomic_folder
from slow_features.grid.cells import cells_of
from slow_features.grid.definition import scales
from slow_features.report.names import setting_name
from slow_features.report.page import write_page
from slow_features.report.results import CellResult, read_cells
from slow_features.report.style import (
    CENTRE_COLOUR,
    WIDE,
    Picture,
    method,
    panels,
    save,
    styled,
)
from slow_features.report.tables import Table, Value
from slow_features.search.record import SearchRecord, read_records

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE = paths.REPORTS / "search"
_COMPARED = ("published", "control")  # variants of the grid that a search stands beside
_DIVERGED = "diverged"


def write_search_report(folder: Path = PAGE) -> None:
    """Write index.html, report.md, a figure and a table for each study in git, replacing `folder`.

    Reads results and computes none. Raises InputError for a record that is damaged.
    """
    studies: dict[str, list[SearchRecord]] = {}
    for record in read_records():
        studies.setdefault(record.study, []).append(record)
    with atomic_folder(folder) as beside, styled():
        pictures = {
            name: _picture(name, found, beside)
            for name, found in studies.items()
            if any(_drawn_numbers(record) for record in found)
        }
        tables = {"best": best_table([r for found in studies.values() for r in found])}
        tables |= {f"trials_{n}_{r.model_type}": t for n, r, t in _trial_tables(studies)}
        names = {n: [f"trials_{n}_{r.model_type}" for r in found] for n, found in studies.items()}
        settings = {n: setting_name(f[0].family, f[0].alpha) for n, f in studies.items()}
        content = {"studies": names, "settings": settings}
        write_page(beside, "search", content, pictures, tables)


def best_table(records: Sequence[SearchRecord]) -> Table:
    """Return the best trial of each search beside what the published choices reach.

    Those are cells of the grid that were trained on as much and with the same seed.
    """
    dots = list(dict.fromkeys(dot for record in records for dot in record.dots))
    numbers = ("validation, px", "evaluation, px", *dots, "optimism, px")
    compared = [f"{variant}, px" for variant in _COMPARED]
    columns = ("study", "method", "noise", "trials", *numbers, "centre, px", *compared)
    return Table(
        "best",
        "The best of so many trials, and the published choice at the same budget",
        "RMSE in px on rollouts. A trial is chosen by its error on the validation sequences, and "
        "the one chosen is measured on those of the evaluation, as every cell of the grid. "
        "Optimism: the latter minus the former, which is what reporting the error that one chose "
        "by would hide. Published, control: cells of the grid with as many sequences and the same "
        "seed, on the evaluation's sequences. A dash: no such cell has run, or no such dot is "
        "there.",
        columns,
        [_best_row(record, dots) for record in records],
        dict.fromkeys([*numbers, "centre, px", *compared], 2) | {"optimism, px": 3},
        merged=1,
    )


def _best_row(record: SearchRecord, dots: Sequence[str]) -> Sequence[Value]:
    start = (
        record.study,
        method(record.model_type).label,
        setting_name(record.family, record.alpha),
        len(record.trials),
    )
    compared = [_same_budget(record, variant) for variant in _COMPARED]
    if record.best is None:
        return (*start, _DIVERGED, *[None] * (len(dots) + 3), *compared)
    chosen, measured = record.trials[record.best].error_px, record.evaluation
    of_dots = [measured.get(f"rmse_px_{dot}") for dot in dots]
    error = measured["rmse_px"]
    centre = measured["centre_rmse_px"]
    return (*start, chosen, error, *of_dots, error - chosen, centre, *compared)


def _same_budget(record: SearchRecord, variant: str) -> float | None:
    """Return the error of a recorded cell of the grid that was trained like the trials, if any."""
    cells = read_cells(
        cell
        for scale in scales()
        for cell in cells_of(scale, record.family, record.model_type)
        if (cell.alpha, cell.variant, cell.seed) == (record.alpha, variant, 1)
    )
    return next((cell.error_px() for cell in cells if _is_alike(cell, record)), None)


def _is_alike(result: CellResult, record: SearchRecord) -> bool:
    if result.outputs is None:
        return False
    trained = result.outputs.summary.sequences
    epochs = abs(trained - record.sequences) <= result.cell.config.dataset_size * 0.1
    return epochs and result.cell.config.n_steps == record.n_steps


def _trial_tables(
    studies: dict[str, list[SearchRecord]],
) -> Iterator[tuple[str, SearchRecord, Table]]:
    for name, found in studies.items():
        for record in found:
            yield name, record, trials_table(record)


def trials_table(record: SearchRecord) -> Table:
    """Return every trial of a search, the best first."""
    keys, dots = list(record.space), record.dots
    columns = ("trial", *keys, "RMSE, px", "frame 0, px", *dots)
    rows = [
        (number, *[_shown(trial.drawn[key]) for key in keys], *_errors(trial.errors, dots))
        for number, trial in enumerate(record.trials)
    ]
    rows.sort(key=lambda row: row[len(keys) + 1] if row[len(keys) + 1] != _DIVERGED else math.inf)
    return Table(
        f"trials_{record.study}_{record.model_type}",
        f"{method(record.model_type).label}: all {len(record.trials)} trials",
        f"On the validation sequences. Sampler {record.sampler}, seed {record.seed}; a training "
        f"sees {record.sequences:,} sequences of {record.n_steps} frames, with the settings of "
        f"{record.base} at the budget of the scale {record.scale}. Drawn: {_ranges(record)}.",
        columns,
        rows,
        dict.fromkeys(("RMSE, px", "frame 0, px", *dots), 2),
        dict.fromkeys(keys, 3),
    )


def _ranges(record: SearchRecord) -> str:
    return "; ".join(
        f"{key} one of {', '.join(map(str, values['choices']))}"
        if "choices" in values
        else f"{key} from {values['low']:g} to {values['high']:g}{', log' * values['log']}"
        for key, values in record.space.items()
    )


def _shown(value: bool | int | float | str) -> Value:
    return str(value).lower() if isinstance(value, bool) else value


def _errors(errors: dict[str, float], dots: Sequence[str]) -> list[Value]:
    if not errors:
        return [_DIVERGED, None, *[None for _ in dots]]
    names = ("rmse_px", "enc_rmse_px", *[f"rmse_px_{dot}" for dot in dots])
    return [errors[name] for name in names]


def _picture(name: str, found: Sequence[SearchRecord], folder: Path) -> Picture:
    setting = setting_name(found[0].family, found[0].alpha)
    return save(
        lambda width: draw_trials(found, width),
        folder,
        f"trials_{name}",
        f"Study “{name}”: {setting}",
        "Every trial: its error on the validation sequences against each number that was drawn. A "
        "ring: the best of a method. A cross at the upper edge: the training diverged. Dashed: "
        "always answering the centre; dotted: half of it, by which a method has found the dot.",
        f"RMSE of every trial with {setting}. " + " ".join(_said(record) for record in found),
    )


def _said(record: SearchRecord) -> str:
    errors = sorted(t.error_px for t in record.trials if t.error_px is not None)
    if not errors:
        return f"{record.model_type}: all {len(record.trials)} diverged."
    return (
        f"{record.model_type}: {len(record.trials)} trials, best {errors[0]:.2f}, "
        f"median {median(errors):.2f}, worst {errors[-1]:.2f} px."
    )


def draw_trials(found: Sequence[SearchRecord], width: float = WIDE) -> Figure:
    """Draw the error of every trial, a panel for each method and each number that was drawn."""
    shown = [(record, key) for record in found for key in _drawn_numbers(record)]
    figure, grid = panels(len(shown), width, 3.0, 2.3, sharey=True)
    for axes, (record, key) in zip(grid, shown, strict=True):
        _panel(axes, record, key)
    grid[0].set_ylim(bottom=0)
    for axes in grid:
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("RMSE, px")
    return figure


def _drawn_numbers(record: SearchRecord) -> list[str]:
    """Return the keys of numbers, the rate first."""
    keys = [key for key, values in record.space.items() if "low" in values]
    return sorted(keys, key=lambda key: (not key.endswith(("lr", "rate")), key))


def _panel(axes: Axes, record: SearchRecord, key: str) -> None:
    look = method(record.model_type)
    ended = [t for t in record.trials if t.error_px is not None]
    axes.plot(
        [t.drawn[key] for t in ended],
        [t.error_px for t in ended],
        color=look.colour,
        marker=look.marker,
        linestyle="none",
    )
    for value in (t.drawn[key] for t in record.trials if t.error_px is None):
        top = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        axes.plot(value, 1.0, "x", color=look.colour, **top)
    if record.best is not None:
        best, centre = record.trials[record.best], record.evaluation["centre_rmse_px"]
        ring = {"markersize": 11, "markerfacecolor": "none", "color": CENTRE_COLOUR}
        axes.plot(best.drawn[key], best.error_px, "o", **ring)
        axes.axhline(centre, color=CENTRE_COLOUR, linestyle="--", linewidth=1)
        axes.axhline(centre / 2, color=CENTRE_COLOUR, linestyle=":", linewidth=1)
    if record.space[key]["log"]:
        _count_in_decades(axes, record.space[key])
    axes.set_xlim(record.space[key]["low"], record.space[key]["high"])
    axes.set_title(look.label)
    axes.set_xlabel(key)


def _count_in_decades(axes: Axes, space: Mapping[str, float]) -> None:
    """Make the axis logarithmic, with ticks as plain numbers: 1, 2, 5 of a decade where few fit."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    decades = math.log10(space["high"] / space["low"])
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1,), numticks=6))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(NullFormatter())
