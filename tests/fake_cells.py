"""Test data: cells of the grid with made-up results, in memory, and made-up claims about them."""

from __future__ import annotations

from dataclasses import replace

from slow_features.grid.cells import cells_of
from slow_features.report.criteria import Rules, read_rules
from slow_features.report.results import CellResult
from slow_features.results.files import Outputs
from tests.fake_results import fake_paths, fake_result, fake_run, fake_summary

LEVEL = {"family": "changing_uniform", "levels": ["1.5"]}


def finished(cell, error_px=5.0, per_dot=None, losses=(4.0, 2.0), moved=0.5, **more):
    """Return a cell with a made-up result."""
    outputs = Outputs(
        result=fake_result(cell.config, error_px, per_dot),
        paths=fake_paths(cell.config.dots, error_px),
        summary=fake_summary(cell.config, losses, moved),
        curve=[{"step": i, "epoch": i, "loss": loss} for i, loss in enumerate(losses)],
        run=fake_run(),
        **more,
    )
    return CellResult(cell, outputs)


def cells(families, seeds=(1,)):
    """Return the standard grid's cells of some families, for any seeds."""
    there = [cell for cell in cells_of("standard") if cell.family in families]
    return [replace(cell, seed=seed) for cell in there for seed in seeds]


def rules_with(*parts, criteria=()):
    """Return the rules with one claim of these parts."""
    rules = read_rules().model_dump()
    named = [{"name": f"part {i}", **part} for i, part in enumerate(parts)]
    return Rules.model_validate(
        rules
        | {"criteria": rules["criteria"] | dict(criteria)}
        | {"claims": [{"id": "made-up", "parts": named}]}
    )


def one_check(criterion, **more):
    """Return a check of VICReg."""
    return {"criterion": criterion, "models": ["VICReg"], **more}


def with_remedies(scale, variants, models=("VICReg", "SimCLR")):
    """Return the cells of a scale; of remedies these alone, of the published cells of models."""
    there = [cell for cell in cells_of(scale) if "/remedies/" not in cell.source]
    return there + [
        replace(
            cell,
            variant=variant,
            source=f"reproduce_configs/remedies/{cell.model_type}.{variant}.yaml",
        )
        for cell in there
        for variant in variants
        if cell.model_type in models and cell.variant == "published"
    ]
