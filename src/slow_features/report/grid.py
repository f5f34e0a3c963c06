"""The report of a scale: every number of the paper that it can reach, with ours beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from slow_features import paths
from slow_features.files import atomic_folder
from slow_features.grid.cells import THREE_DOTS, Cell, cells_of
from slow_features.grid.definition import load_grid, scales
from slow_features.models.registry import MODELS
from slow_features.report.cell_tables import cell_cards, cells_table, runs_table
from slow_features.report.claim_tables import (
    checks_table,
    claims_table,
    judged_in_words,
    measurements_table,
    parts_found,
)
from slow_features.report.claims import ClaimVerdict, judge
from slow_features.report.criteria import Rules, read_published, read_rules
from slow_features.report.grid_pictures import grid_pictures
from slow_features.report.grid_tables import control_table, probe_table, table1
from slow_features.report.headline import headline_in_words, headline_table
from slow_features.report.mechanism import mechanism_table
from slow_features.report.names import family_name
from slow_features.report.page import write_page, write_runs
from slow_features.report.remedies import FOUND, remedies_in_words, remedies_table
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
    write_page_about(
        Results(scale, read_cells(cells_of(scale), place_of)), folder or paths.REPORTS / scale
    )


def write_page_about(results: Results, folder: Path) -> None:
    """Write the report about the cells of a scale, as `write_grid_report` does."""
    rules = read_rules()
    verdicts = {"claims": judge(results, rules), "own_claims": judge(results, rules, rules.own)}
    with atomic_folder(folder) as beside, styled():
        tables = _tables(results, rules, verdicts)
        pictures = grid_pictures(results, beside)
        content = _content(results, rules, verdicts)
        write_page(beside, "grid", content, pictures, tables)
        write_runs(beside, f"scale “{results.scale}”", runs_table(results))


def _content(
    results: Results, rules: Rules, verdicts: Mapping[str, list[ClaimVerdict]]
) -> dict[str, Any]:
    found = rules.criteria[FOUND]
    return {
        "scale": results.scale,
        "headline": headline_in_words(results, found),
        "repaired": remedies_in_words(results, found),
        "parts_found": parts_found(verdicts["claims"]),
        "judged": judged_in_words(verdicts["claims"]),
        "finished": len(results.finished),
        "asked": len(results.cells),
        "origin": origin(results),
        "verified": _verified(results.scale),
        "cards": cell_cards(results),
        "elsewhere": _elsewhere(results),
        "families": {family: family_name(family) for family in results.shown_families},
    }


def _elsewhere(results: Results) -> dict[str, str]:
    """Return for each table that this scale does not fill which scales do."""
    grids = {scale: load_grid(scale) for scale in scales()}
    notes = {}
    if THREE_DOTS not in results.families:
        notes["table1"] = _scales(s for s, g in grids.items() if _has_table1(g))
    if not any(result.cell.adam_probe for result in results.cells):
        notes["probes"] = _scales(s for s, g in grids.items() if g["adam_probe"])
    return notes


def _has_table1(grid: Mapping[str, Any]) -> bool:
    """Return whether a scale has cells with three dots as published."""
    return bool(grid["levels"].get(THREE_DOTS) and grid["only"].get(THREE_DOTS, grid["models"]))


def _scales(others: Iterable[str]) -> str:
    return (
        f"Scales that have it: {', '.join(others)}; set scale in params.yaml, then make reproduce."
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
    results: Results, rules: Rules, verdicts: Mapping[str, list[ClaimVerdict]]
) -> dict[str, Table]:
    published, found = read_published(), rules.criteria[FOUND]
    papers = {claim["id"]: claim["text"] for claim in published["claims"]}
    ours = {claim.id: claim.text for claim in rules.own}
    own = verdicts["own_claims"]
    tables = (
        headline_table(results, found),
        claims_table("claims", verdicts["claims"], papers),
        checks_table("claim_checks", verdicts["claims"], papers, rules),
        measurements_table("claim_measurements", verdicts["claims"]),
        claims_table("own_claims", own, ours),
        checks_table("own_checks", own, ours, rules),
        table1(results, published),
        control_table(results, rules.trained),
        mechanism_table(results),
        remedies_table(results, found),
        probe_table(results),
        cells_table(results),
    )
    return {table.name: table for table in tables}
