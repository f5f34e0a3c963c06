"""One page for the paper: at every number the strongest evidence in git, whichever scale it is of.

Stronger is what was trained on more sequences, and of the same length what has more seeds. What is
compared with each other within a claim is always of one scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from slow_features import paths
from slow_features.files import atomic_folder, write_text
from slow_features.grid.cells import THREE_DOTS, Cell, cells_of
from slow_features.grid.definition import PUBLISHED, noise_families, scales
from slow_features.report.claim_tables import claim_in_words
from slow_features.report.claims import PartVerdict, claim_of_parts, judge
from slow_features.report.criteria import Check, Claim, Rules, read_published, read_rules
from slow_features.report.figure3 import draw_figure3, figure3_alt
from slow_features.report.grid import origin
from slow_features.report.grid_pictures import figure3_caption
from slow_features.report.grid_tables import table1
from slow_features.report.headline import headline_in_words, headline_table
from slow_features.report.measurements import Measurement
from slow_features.report.names import anchor, is_remedy, model_name, variant_name
from slow_features.report.page import write_page
from slow_features.report.remedies import FOUND
from slow_features.report.results import CellResult, Results, all_there, read_cells
from slow_features.report.style import save, styled
from slow_features.report.tables import NOT_RUN, Linked, NotRun, Table, Value

PAGE = paths.REPORTS / "index.html"
FOLDER = paths.REPORTS / "summary"  # tables and figures beside the page
MIXED = "Points of one panel may be of different scales, trained for different lengths."
_FILE = re.compile(r'href="([\w-]+\.(?:csv|md|svg|png))"')


class Judged(NamedTuple):
    """A part of a claim, with the verdict of the scale that knows most about it; "" for none."""

    part: PartVerdict
    scale: str


def write_summary() -> None:
    """Write reports/index.html, and the tables and figures behind it into reports/summary/.

    Reads results and computes none.
    """
    rules, published = read_rules(), read_published()
    found = [Results(scale, read_cells(cells_of(scale))) for scale in scales()]
    found = [results for results in found if results.finished]
    best = strongest(found)
    papers = {claim["id"]: claim["text"] for claim in published["claims"]}
    ours = {claim.id: claim.text for claim in rules.own}
    with atomic_folder(FOLDER) as beside, styled():
        tables = [
            headline_table(best, rules.criteria[FOUND], _with_scale),
            claims_table("claims", rules.claims, papers, found, rules),
            claims_table("own_claims", rules.own, ours, found, rules),
            _table1(table1(best, published), best),
            _scales_table(found),
        ]
        picture = save(
            lambda width: draw_figure3(best, width=width),
            beside,
            "figure3",
            "Figure 3: error under noise",
            f"{figure3_caption(best)} {MIXED}",
            figure3_alt(best),
        )
        content = {
            "headline": headline_in_words(best, rules.criteria[FOUND]),
            "counts": _counts(rules.claims, found, rules),
            "scales": {results.scale: origin(results) for results in found},
        }
        pictures = {"figure3": picture} if best.finished else {}
        write_page(beside, "summary", content, pictures, {table.name: table for table in tables})
        html = (beside / "index.html").read_text()
        (beside / "index.html").unlink()
    write_text(PAGE, _FILE.sub(rf'href="{FOLDER.name}/\1"', html))


def strongest(found: Sequence[Results]) -> Results:
    """Return of every setting, method and variant the cells of the scale that knows most of it.

    Remedies are left out: they are no part of the paper. The families come in the grid's order.
    """
    groups: dict[tuple, list[CellResult]] = {}
    for results in found:
        for result in results.cells:
            cell = result.cell
            if not is_remedy(cell):
                key = (cell.family, cell.alpha, cell.model_type, cell.variant, cell.scale)
                groups.setdefault(key, []).append(result)
    best: dict[tuple, list[CellResult]] = {}
    for key, cells in groups.items():
        kept = best.get(key[:-1])
        if kept is None or _strength(cells) > _strength(kept):
            best[key[:-1]] = cells
    order = noise_families()
    chosen = [cell for cells in best.values() for cell in cells]
    return Results("all", sorted(chosen, key=lambda result: order.index(result.cell.family)))


def _strength(cells: Sequence[CellResult]) -> tuple[bool, int, int]:
    """Return how much cells of one scale tell: all there, sequences of a training, seeds."""
    if not all_there(cells):
        return False, 0, 0
    sequences = min(cell.finished.summary.sequences for cell in cells)
    return True, sequences, len({cell.cell.seed for cell in cells})


def judged_parts(claim: Claim, found: Sequence[Results], rules: Rules) -> list[Judged]:
    """Return each part of a claim as the scale judges it that knows most about it."""
    verdicts = {results.scale: judge(results, rules, [claim])[0] for results in found}
    return [
        max(
            (Judged(verdict.parts[i], scale) for scale, verdict in verdicts.items()),
            key=lambda judged: _weight(judged, found),
            default=Judged(PartVerdict(part, "not run", ()), ""),
        )
        for i, part in enumerate(claim.parts)
    ]


def _weight(judged: Judged, found: Sequence[Results]) -> tuple[bool, int, int]:
    """Return how much the verdict about a part rests on."""
    if judged.part.verdict == "not run":
        return False, 0, 0
    by_cell = {r.cell.path: r for results in found for r in results.finished}
    measured = {c.path for check in judged.part.checks for m in check.measurements for c in m.cells}
    cells = [by_cell[path] for path in measured if path in by_cell]
    sequences = max((cell.finished.summary.sequences for cell in cells), default=0)
    return True, sequences, len({cell.cell.seed for cell in cells})


def claims_table(
    name: str,
    claims: Sequence[Claim],
    texts: Mapping[str, str],
    found: Sequence[Results],
    rules: Rules,
) -> Table:
    """Return a row for each part of each claim: its verdict, and the scale that it is of."""
    rows: list[Sequence[Value]] = []
    for claim in claims:
        parts = judged_parts(claim, found, rules)
        verdict = claim_of_parts(claim, tuple(part for part, _ in parts))
        whole = claim_in_words(verdict).removesuffix(" at this scale")
        for part, scale in parts:
            start = (texts[claim.id], whole, part.part.name)
            if part.verdict == "not run":
                rows.append(NotRun((*start, NOT_RUN, None, None)))
            else:
                rows.append((*start, *_part_words(part, scale)))
    return Table(
        name,
        "Verdicts, part by part",
        "Each part as the scale judges it that was trained longest, and of the same length has "
        "most seeds; what is compared within a part is of one scale. Measured: what decides, in px "
        "or as a share, and its bound; of several, the one that is closest to its bound, and where "
        "the part does not hold the one that is furthest beyond it. A claim is reproduced if every "
        "part of it holds, and not reproduced if one part does not.",
        ("claim", "verdict", "part", "holds", "measured", "scale"),
        rows,
        merged=2,
    )


def _part_words(part: PartVerdict, scale: str) -> tuple[str, str | None, str]:
    """Return the verdict about a part, the measurement that says how clear it is, and its scale.

    What holds is as clear as the measurement closest to failing; what does not, as the worst one.
    """
    words = {"reproduced": "holds", "not reproduced": "does not hold"}
    decisive = [(c.check, m) for c in part.checks if not c.left_out for m in c.decisive]
    decided = [(check, m) for check, m in decisive if m.verdict == part.verdict]
    said = words.get(part.verdict, part.verdict)
    if not decided:
        return said, None, scale
    choose = max if part.verdict == "not reproduced" else min
    check, shown = choose(decided, key=lambda pair: pair[1].closeness)
    return said, f"{_who(check, shown)}: {shown.text}", _linked(scale, shown.cells[0])


def _who(check: Check, measurement: Measurement) -> str:
    """Return of which method, variant and dot something was measured, and at which level."""
    words = [measurement.model]
    if check.variant != PUBLISHED:
        words[0] += f" “{variant_name(check.variant)}”"
    if check.dot:
        words.append(f"{check.dot} dot")
    if float(measurement.alpha):
        words.append(f"level {measurement.alpha}")
    return ", ".join(words)


def _counts(claims: Sequence[Claim], found: Sequence[Results], rules: Rules) -> dict[str, int]:
    """Return how many parts of the paper's claims hold, do not, cannot be told and are not run."""
    parts = [part.verdict for claim in claims for part, _ in judged_parts(claim, found, rules)]
    kinds = {"reproduced": "hold", "not reproduced": "do not hold", "cannot tell": "cannot be told"}
    counts = {words: parts.count(kind) for kind, words in kinds.items()}
    return counts | {"are not run": parts.count("not run")}


def _with_scale(cells: Sequence[CellResult], error: float) -> str:
    return _linked(f"{error:.2f} ({cells[0].cell.scale})", cells[0].cell)


def _linked(text: str, cell: Cell) -> str:
    """Return a text that leads to a cell's row in the page of its scale."""
    return Linked(text, f"{cell.scale}/index.html#row-{anchor(cell)}")


def _table1(table: Table, best: Results) -> Table:
    """Return table 1 with the scale behind each row."""
    there = [r.cell for r in best.cells if r.cell.family == THREE_DOTS]
    scale_of = {model_name(cell): _linked(cell.scale, cell) for cell in reversed(there)}
    rows = [type(row)([*row, scale_of.get(str(row[0]))]) for row in table.rows]
    columns = (*table.columns, "scale")
    return Table(table.name, table.title, table.caption, columns, rows, table.digits, merged=1)


def _scales_table(found: Iterable[Results]) -> Table:
    """Return what each scale with results is."""
    rows = [(r.scale, len(r.finished), len(r.cells), origin(r)) for r in found]
    return Table(
        "scales",
        "The scales of this project that have results",
        "A scale is a part of the paper's grid with a budget: grids.yaml.",
        ("scale", "cells finished", "cells", "what was run"),
        rows,
    )
