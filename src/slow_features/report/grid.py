"""The report of a scale: every number of the paper that it can reach, with ours beside it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from slow_features import paths
from slow_features.files import atomic_folder
from slow_features.grid.cells import THREE_DOTS, Cell, cells_of, load_grid, scales
from slow_features.models.registry import MODELS
from slow_features.report.cell_tables import cell_cards, cell_links, cells_table, runs_table
from slow_features.report.claim_tables import (
    checks_table,
    claims_table,
    measurements_table,
    parts_in_words,
)
from slow_features.report.claims import ClaimVerdict, Verdict, judge
from slow_features.report.criteria import Rules, read_published, read_rules
from slow_features.report.grid_figures import setting_name
from slow_features.report.grid_pictures import grid_pictures
from slow_features.report.grid_tables import control_table, probe_table, table1
from slow_features.report.mechanism import mechanism_table
from slow_features.report.page import write_page, write_runs
from slow_features.report.results import Results, read_cells, recorded
from slow_features.report.style import styled
from slow_features.report.tables import Table
from slow_features.results.files import Place


def write_grid_report(
    scale: str,
    place_of: Callable[[Cell], Place] = recorded,
    folder: Path | None = None,
) -> None:
    """Write index.html, report.md, figures and tables about a scale, replacing `folder`.

    The cells are those that the grid asks for; one without a result is shown as not run.
    place_of: where a cell's result lies; default: in git.
    folder: default reports/{scale}.
    Reads results and computes none. Raises InputError when there is no such scale.
    """
    results = Results(scale, read_cells(cells_of(scale), place_of))
    rules, published = read_rules(), read_published()
    verdicts = judge(results, rules)
    with atomic_folder(folder or paths.REPORTS / scale) as beside, styled():
        tables = _tables(results, rules, published, verdicts)
        pictures = grid_pictures(results, beside)
        content = _content(results, verdicts)
        write_page(beside, "grid", content, pictures, tables)
        write_runs(beside, f"scale “{scale}”", runs_table(results))


def _content(results: Results, verdicts: list[ClaimVerdict]) -> dict[str, Any]:
    parts = Counter(part.verdict for verdict in verdicts for part in verdict.parts)
    return {
        "scale": results.scale,
        "claim_counts": {
            kind: sum(v.verdict == kind for v in verdicts) for kind in get_args(Verdict)
        },
        "parts_asked": parts.total(),
        "parts_in_words": parts_in_words(parts),
        "finished": len(results.finished),
        "asked": len(results.cells),
        "origin": origin(results),
        "verified": _verified(results.scale),
        "cards": cell_cards(results),
        "links": cell_links(results),
        "nothing": _nothing(results),
        "families": results.families,
        "setting_names": {
            family: setting_name(family, results.reference_level(family))
            for family in results.families
        },
    }


def _nothing(results: Results) -> dict[str, str]:
    """Return for each table what to say if nothing of it was run."""
    yet = f"Nothing of it has run yet: dvc repro report@{results.scale}."
    grids = {scale: load_grid(scale) for scale in scales()}
    notes = defaultdict(lambda: yet)
    if THREE_DOTS not in results.families:
        notes["table1"] = _elsewhere(s for s, g in grids.items() if g["levels"].get(THREE_DOTS))
    if not any(result.cell.adam_probe for result in results.cells):
        notes["probes"] = _elsewhere(s for s, grid in grids.items() if grid["adam_probe"])
    if not any(result.cell.variant == "control" for result in results.cells):
        notes["control"] = _elsewhere(s for s, g in grids.items() if "control" in g["variants"])
    return notes


def _elsewhere(others: Iterable[str]) -> str:
    return (
        f"Not run at this scale. Scales that have it: {', '.join(others)}; set scale in "
        "params.yaml, then make reproduce."
    )


def origin(results: Results) -> str:
    """Return scale, seeds, budget, arithmetic and command: the line under figures and tables."""
    trained = [r.cell.config for r in results.cells if MODELS[r.cell.model_type].trains]
    epochs = sorted({config.model.epochs for config in trained})
    size = max((config.dataset_size for config in trained), default=0)
    seeds = sorted({r.cell.seed for r in results.cells})
    return (
        f"Scale {results.scale}; {seeds_in_words(seeds)}; {_range(epochs)} epochs of "
        f"{size:,} sequences{_arithmetic(results)}; dvc repro report@{results.scale}"
    )


def _arithmetic(results: Results) -> str:
    used = sorted({result.finished.arithmetic for result in results.finished})
    return f" in {' and '.join(used)}" if used else ""


def seeds_in_words(seeds: Sequence[int]) -> str:
    """Return which seeds there are, and that it is one where it is one."""
    return f"one seed ({seeds[0]})" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"


def _range(values: list[int]) -> str:
    return (
        str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}" if values else "no"
    )


def _verified(scale: str) -> str:
    """Return how the results compare with those computed on another occasion, in a sentence."""
    file = paths.VERIFIED / f"{scale}.json"
    return json.loads(file.read_text())["in_words"] if file.exists() else ""


def _tables(
    results: Results,
    rules: Rules,
    published: Mapping[str, Any],
    verdicts: list[ClaimVerdict],
) -> dict[str, Table]:
    tables = (
        claims_table(verdicts, published),
        checks_table(verdicts, rules),
        measurements_table(verdicts),
        table1(results, published),
        control_table(results, rules.trained),
        mechanism_table(results),
        probe_table(results),
        cells_table(results),
    )
    return {table.name: table for table in tables}
