"""The grid's DVC stages by name: STEP@SCALE, or STEP@SCALE-MODEL."""

from __future__ import annotations

from slow_features.errors import InputError
from slow_features.grid.definition import load_grid
from slow_features.results.files import PROBE, TRAIN


def run_stage(name: str) -> None:
    """Do one stage. Raises InputError for a name that is none."""
    step, _, place = name.rpartition(":")[2].partition("@")  # DVC puts a file in front
    scale, _, model_type = place.partition("-")
    grid = load_grid(scale)
    if step == "data" and not model_type:
        from slow_features.grid.run import describe_scale_data

        describe_scale_data(scale)
    elif step == "report" and not model_type:
        from slow_features.report.grid import write_grid_report

        write_grid_report(scale)
    elif step == "verify" and not model_type:
        from slow_features.grid.verify import write_verified

        write_verified(scale)
    elif step == "weights" and not model_type:
        from slow_features.grid.run import gather_weights

        gather_weights(scale)
    elif step == "track" and not model_type:
        from slow_features.results.track import track

        print(f"{track(scale)} runs written to MLflow")
    elif step in (TRAIN, PROBE) and model_type:
        if model_type not in grid["models"]:
            allowed = ", ".join(grid["models"])
            raise InputError(f"stage {name!r}: {model_type!r}: allowed: {allowed}")
        from slow_features.grid.run import collect

        collect(step, scale, model_type)
    else:
        raise InputError(
            f"stage {name!r}: allowed: STEP@SCALE with step data, verify, track, report or "
            "weights, or STEP@SCALE-MODEL with step train or probe"
        )
