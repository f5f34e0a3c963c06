"""The report of a scale: every number of the paper that it can reach, with ours beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slow_features import paths
from slow_features.files import atomic_folder
from slow_features.grid.cells import cells_of
from slow_features.report.claim_tables import checks_table, claims_table, measurements_table
from slow_features.report.claims import ClaimVerdict, judge
from slow_features.report.criteria import Rules, read_published, read_rules
from slow_features.report.figure3 import draw_figure3, draw_untuned
from slow_features.report.grid_figures import (
    draw_errors_by_frame,
    draw_family_paths,
    draw_loss_panels,
    draw_noise_samples,
    setting_name,
)
from slow_features.report.grid_tables import (
    cells_table,
    control_table,
    probe_table,
    recipes,
    table1,
)
from slow_features.report.page import write_page
from slow_features.report.pictures import path_note
from slow_features.report.results import Results, read_cells
from slow_features.report.style import Picture, save, styled
from slow_features.report.tables import Table


def write_grid_report(
    scale: str,
    results_root: Path | None = None,
    folder: Path | None = None,
) -> None:
    """Write index.html, report.md, figures and tables about a scale, replacing `folder`.

    The cells are those that the grid asks for; one without a result is shown as not run.
    results_root: holds {train, probe}/{family}/{model}/{cell}; default outputs/grid/{scale}.
    folder: default reports/{scale}.
    Reads results and computes none. Raises InputError when there is no such scale.
    """
    root = paths.GRID_OUTPUTS / scale if results_root is None else results_root
    results = Results(scale, read_cells(cells_of(scale), root))
    rules, published = read_rules(), read_published()
    verdicts = judge(results, rules)
    with atomic_folder(folder or paths.GRID_REPORTS / scale) as beside, styled():
        tables = _tables(results, rules, published, verdicts)
        pictures = _pictures(results, beside)
        write_page(beside, "grid", _content(results, verdicts), pictures, tables)


def _content(results: Results, verdicts: list[ClaimVerdict]) -> dict[str, Any]:
    counts = {
        kind: sum(verdict.verdict == kind for verdict in verdicts)
        for kind in ("reproduced", "not reproduced", "not run")
    }
    tested = [p.verdict for v in verdicts for p in v.parts if p.verdict != "not run"]
    return {
        "scale": results.scale,
        "counts": counts,
        "parts_held": tested.count("reproduced"),
        "parts_tested": len(tested),
        "finished": len(results.finished),
        "asked": len(results.cells),
        "origin": origin(results),
        "machines": machines(results),
        "recipes": recipes(results),
        "families": results.families,
        "setting_names": {
            family: setting_name(family, results.reference_level(family))
            for family in results.families
        },
    }


def origin(results: Results) -> str:
    """Return scale, seeds, budget, revision and command, the line under every figure and table."""
    trained = [r.cell.config for r in results.cells if r.cell.model_type != "Random"]
    epochs = sorted({config.model.epochs for config in trained})
    size = max((config.dataset_size for config in trained), default=0)
    seeds = sorted({r.cell.seed for r in results.cells})
    codes = sorted({(r.finished.revision or "unknown")[:12] for r in results.finished})
    return (
        f"Scale {results.scale}; seeds {', '.join(map(str, seeds))}; {_range(epochs)} epochs of "
        f"{size} sequences; code {', '.join(codes) or 'none'}; "
        f"dvc repro report@{results.scale}"
    )


def _range(values: list[int]) -> str:
    return (
        str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}" if values else "no"
    )


def machines(results: Results) -> list[str]:
    """Return the machines that the cells ran on."""
    found = {tuple(sorted(r.finished.cost["machine"].items())) for r in results.finished}
    return sorted("; ".join(f"{key} {value}" for key, value in machine) for machine in found)


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
        probe_table(results),
        cells_table(results),
    )
    return {table.name: table for table in tables}


def _pictures(results: Results, folder: Path) -> dict[str, Picture]:
    pictures = [
        save(
            draw_figure3(results),
            folder,
            "figure3",
            "Figure 3: error against the level of noise",
            "Means over the seeds with the 95% bootstrap interval where there are three or more, "
            "the points otherwise; methods at one level are shifted sideways. A cross: not run, or "
            "not for every seed. Alpha 0 is the same "
            "in all panels. The paper plots this figure and gives no numbers, so none stand here.",
        ),
        save(
            draw_errors_by_frame(results),
            folder,
            "errors_by_frame",
            "Error by time step",
            "Frame 0 is seen, the others are predicted; one level of each family, first seed.",
        ),
        save(
            draw_noise_samples(results),
            folder,
            "samples",
            "Samples of every noise family",
            "Sequence 0 of the evaluation as a model sees it, every second frame.",
        ),
    ]
    if any(r.cell.variant == "untuned" for r in results.cells):
        pictures.append(
            save(
                draw_untuned(results),
                folder,
                "untuned",
                "Hyper-parameters tuned at one level only (appendix A.5)",
                "Changing uniform noise: solid with the published hyper-parameters of each level, "
                "dashed with those of one level for all.",
            )
        )
    for family in results.families:
        pictures += _family_pictures(results, family, folder)
    return {picture.name: picture for picture in pictures}


def _family_pictures(results: Results, family: str, folder: Path) -> list[Picture]:
    name = family.replace("_", " ")
    pictures = [
        save(
            draw_loss_panels(results, family),
            folder,
            f"losses_{family}",
            f"Loss curves: {name}",
            "Each loss over its first value, for all levels and seeds: a line that stays at 1 is "
            "a network that has hardly moved.",
        )
    ]
    figure = draw_family_paths(results, family)
    if figure:
        setting = setting_name(family, results.reference_level(family))
        dots = 3 if family == "three_dots" else 1
        pictures.append(
            save(
                figure,
                folder,
                f"paths_{family}",
                f"True and decoded paths: {setting}",
                "The best and the worst of the eight stored sequences of each method, over frame "
                f"0, the only one that the rollout sees. {path_note(dots)}",
            )
        )
    return pictures
