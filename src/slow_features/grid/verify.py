"""Results in git beside what this machine computes: does whoever runs it again find the same?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slow_features import paths
from slow_features.errors import InputError
from slow_features.files import write_json
from slow_features.grid.cells import Cell, cells_of
from slow_features.grid.run import is_done, stored
from slow_features.probe.result import ProbeResult
from slow_features.provenance import provenance
from slow_features.report.claims import judge
from slow_features.report.criteria import read_rules
from slow_features.report.results import Results, read_cells
from slow_features.report.tables import Table
from slow_features.results.files import (
    METRICS_FILE,
    NOT_RECORDED,
    Outputs,
    Place,
    read_numbers,
    read_outputs,
)

TOLERANCE_PX = 0.5
_EXACT = "the same kind of machine: every byte"
_ROUNDED = f"another kind of machine, which rounds otherwise: {TOLERANCE_PX} px"
_OTHER_ARITHMETIC = "computed in {} there and in {} here: " + f"{TOLERANCE_PX} px"


@dataclass(frozen=True)
class Comparison:
    """One cell: what git has beside what was computed here, by another run.

    committed_px, here_px: error on rollouts. difference_px: the largest of any error of the two.
    reason: the tolerance and why. other: what is not the same, in words.
    """

    cell: Cell
    committed_px: float | None
    here_px: float | None
    difference_px: float | None
    reason: str
    other: tuple[str, ...]
    agrees: bool


@dataclass(frozen=True)
class Verification:
    """All cells of a scale that were computed here and recorded elsewhere, or at another time.

    recorded: cells with a result in git. verdicts: claim parts that come out otherwise here.
    """

    scale: str
    asked: int
    recorded: int
    compared: tuple[Comparison, ...]
    verdicts: tuple[str, ...]

    @property
    def agreeing(self) -> int:
        """Number of cells that agree."""
        return sum(one.agrees for one in self.compared)

    @property
    def good(self) -> bool:
        """Whether there was something to compare, and all of it agrees."""
        return bool(self.compared) and self.agreeing == len(self.compared) and not self.verdicts

    def in_words(self) -> str:
        """Return the outcome in one sentence, as the page has it."""
        if not self.compared:
            return "None of its cells has been computed a second time on the machine of this page."
        verdicts = ", and so does every verdict" if not self.verdicts else ""
        return (
            f"Recomputed on {provenance().machine['cpu']}: {self.agreeing} of "
            f"{len(self.compared)} cells agree{verdicts}."
        )


def verify(scale: str) -> Verification:
    """Compare every cell of a scale that was computed here with its record in git."""
    cells = cells_of(scale)
    recorded = [cell for cell in cells if Place.recorded(cell.path).probe.is_dir()]
    again = [cell for cell in recorded if is_done(cell) and not _is_same_run(cell)]
    return Verification(
        scale,
        len(cells),
        len(recorded),
        tuple(_compare(cell) for cell in again),
        tuple(_other_verdicts(scale, cells, {cell.path for cell in again})),
    )


def write_verified(scale: str) -> None:
    """Write the outcome for the report of a scale: what depends on the kind of machine alone."""
    found = verify(scale)
    write_json(
        paths.VERIFIED / f"{scale}.json",
        {
            "in_words": found.in_words(),
            "compared": len(found.compared),
            "agree": found.agreeing,
            "other": {str(c.cell.path): list(c.other) for c in found.compared if not c.agrees},
            "verdicts": list(found.verdicts),
        },
    )


def verification_table(found: Verification) -> Table:
    """Return every comparison: committed value, value here, difference, tolerance."""
    columns = ("cell", "committed, px", "here, px", "difference, px", "tolerance", "agrees")
    return Table(
        "verified",
        f"Results in git beside those computed here, scale {found.scale}",
        "Difference: the largest of the errors on rollouts, on frame 0 and of single dots.",
        columns,
        [
            (str(c.cell.path), c.committed_px, c.here_px, c.difference_px, c.reason, _verdict(c))
            for c in found.compared
        ],
        dict.fromkeys(columns[1:4], 4),
    )


def _verdict(one: Comparison) -> str:
    return "yes" if one.agrees else f"no: {', '.join(one.other)}"


def _is_same_run(cell: Cell) -> bool:
    """Return whether the record is, to the byte, of the very run that the store has."""
    committed, here = Place.recorded(cell.path), stored(cell).place
    run = _content(committed.run)
    return run is not None and run == _content(here.run) and not _other_files(committed, here)


def _compare(cell: Cell) -> Comparison:
    committed, here = Place.recorded(cell.path), stored(cell).place
    try:
        theirs, ours = read_outputs(committed), read_outputs(here)
    except InputError as error:
        return Comparison(cell, None, None, None, "every file is readable", (str(error),), False)
    difference = _largest_difference(theirs, ours)
    exact = _kind(theirs) == _kind(ours)
    other = _other_files(committed, here) if exact else _contradictions(committed, theirs)
    if not exact and difference > TOLERANCE_PX:
        other.append(f"{difference:.2f} px")
    return Comparison(
        cell,
        theirs.result.pred.rmse_px,
        ours.result.pred.rmse_px,
        difference,
        _EXACT if exact else _why_not_exact(theirs, ours),
        tuple(other),
        not other,
    )


def _kind(outputs: Outputs) -> tuple[str | None, ...]:
    """Return what decides how a machine rounds: processor, device, arithmetic, torch."""
    run = outputs.run
    return str(run.machine.get("cpu")), run.device, outputs.arithmetic, run.packages.get("torch")


def _why_not_exact(theirs: Outputs, ours: Outputs) -> str:
    """Return why bytes may differ, and what decides instead."""
    if theirs.arithmetic != ours.arithmetic:
        return _OTHER_ARITHMETIC.format(theirs.arithmetic, ours.arithmetic)
    return _ROUNDED


def _largest_difference(one: Outputs, other: Outputs) -> float:
    pairs = [(one.result, other.result)]
    if one.adam and other.adam:
        pairs.append((one.adam, other.adam))
    return max(abs(a - b) for pair in pairs for a, b in _errors(*pair))


def _errors(one: ProbeResult, other: ProbeResult) -> list[tuple[float, float]]:
    dots = other.pred.per_dot_px.items()
    return [
        (one.pred.rmse_px, other.pred.rmse_px),
        (one.enc.rmse_px, other.enc.rmse_px),
        *((one.pred.per_dot_px.get(dot, math.inf), px) for dot, px in dots),
    ]


def _other_files(committed: Place, here: Place) -> list[str]:
    """Return the names of the files to be recorded whose bytes are not those made here."""
    return [
        name
        for theirs, ours in ((committed.train, here.train), (committed.probe, here.probe))
        for name in sorted({file.name for place in (theirs, ours) for file in place.glob("*")})
        if name not in NOT_RECORDED and _content(theirs / name) != _content(ours / name)
    ]


def _contradictions(committed: Place, found: Outputs) -> list[str]:
    """Return the name of metrics.json where it does not say what the files beside it say."""
    try:
        same = read_numbers(committed.probe / METRICS_FILE) == found.metrics
    except InputError:
        same = False
    return [] if same else [METRICS_FILE]


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _other_verdicts(scale: str, cells: Sequence[Cell], again: set[Path]) -> list[str]:
    """Return the parts of claims whose verdict is another one with the results made here."""
    if not again:
        return []

    def here(cell: Cell) -> Place:
        return stored(cell).place if cell.path in again else Place.recorded(cell.path)

    rules = read_rules()
    theirs = judge(Results(scale, read_cells(cells)), rules)
    ours = judge(Results(scale, read_cells(cells, here)), rules)
    return [
        f"{claim.claim.id}: {part.part.name}: {part.verdict} in git, {mine.verdict} here"
        for claim, own in zip(theirs, ours, strict=True)
        for part, mine in zip(claim.parts, own.parts, strict=True)
        if part.verdict != mine.verdict
    ]
