"""The grid's DVC stages by name: STEP@SCALE, or STEP@SCALE-FAMILY-MODEL."""

from __future__ import annotations

from slow_features.errors import InputError
from slow_features.grid.cells import load_grid


def run_stage(name: str) -> None:
    """Do one stage. Raises InputError for a name that is none."""
    step, _, place = name.partition("@")
    scale, *rest = place.split("-")
    grid = load_grid(scale)
    if step == "data" and not rest:
        from slow_features.grid.data import write_data

        write_data(scale)
    elif step == "report" and not rest:
        from slow_features.report.grid import write_grid_report

        write_grid_report(scale)
    elif step == "track" and not rest:
        from slow_features.grid.track import track

        print(f"{track(scale)} runs written to MLflow")
    elif step in ("train", "probe") and len(rest) == 2:
        family, model_type = rest
        _check(name, family, list(grid["levels"]))
        _check(name, model_type, grid["models"])
        from slow_features.grid.run import collect

        collect(step, scale, family, model_type)
    else:
        raise InputError(
            f"stage {name!r}: allowed: STEP@SCALE with step data, track or report, or "
            "STEP@SCALE-FAMILY-MODEL with step train or probe"
        )


def _check(stage: str, value: str, allowed: list[str]) -> None:
    if value not in allowed:
        raise InputError(f"stage {stage!r}: {value!r}: allowed: {', '.join(allowed)}")
