"""Test data: hand-made result files of grid cells, no number of which was ever measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from slow_features.data.geometry import DOTS
from slow_features.data.noise import NoiseSetting
from slow_features.files import write_json, write_text
from slow_features.grid.cells import Cell
from slow_features.identity import settings_of_weights
from slow_features.probe.metrics import error_table
from slow_features.probe.result import (
    Errors,
    Noise,
    Paths,
    ProbeErrors,
    ProbeResult,
    write_block,
)
from slow_features.results import files
from slow_features.results.files import Place, RunRecord, Summary

CENTRE_PX = 9.4
WEIGHTS = "def456"
STEPS = 17


def fake_result(config, error_px, per_dot=None, solver="closed_form"):
    """Return a result with this error at every frame; per_dot gives each dot its own."""
    dots = DOTS[: config.dots]

    def table(errors):
        squared = torch.tensor(errors, dtype=torch.float64).square().expand(STEPS, -1)
        return error_table(squared, dots)

    errors = [per_dot[dot] for dot in dots] if per_dot else [error_px] * len(dots)
    more = {"solver": solver, "fitted_on": 10, "rank": None, "spread": 0.5, "collapsed": False}
    return ProbeResult(
        model_type=config.model_type,
        dataset_type=config.dataset_type,
        noise=Noise.of(NoiseSetting.from_config(config)),
        seed=config.seed,
        embedding_size=config.model.state_size,
        evaluated_on=8,
        pred=ProbeErrors(**table(errors), **more),
        enc=ProbeErrors(**table(errors), **more),
        centre=Errors(**table([CENTRE_PX] * len(dots))),
        data_checksum="abc123",
        weights_checksum=WEIGHTS,
    )


def places_below(root: Path) -> Callable[[Cell], Place]:
    """Return where the results of cells lie below a folder, as they do in git."""

    def place_of(cell: Cell) -> Place:
        run = root / "runs" / cell.path.with_name(f"{cell.name}.json")
        return Place(root / "train" / cell.path, root / "probe" / cell.path, run)

    return place_of


def write_fake_cell(
    place: Place, config, error_px, per_dot=None, losses=(4.0, 3.0, 2.0), moved=0.5, adam_px=None,
    **run,
):  # fmt: skip
    """Write the files of a training and its evaluation, all but the weights.

    run: what run.json has otherwise than `fake_run`.
    """
    if config.model_type == "Random":
        losses = ()
    write_fake_curve(place.train / files.CURVES_FILE, losses)
    write_json(place.train / files.SUMMARY_FILE, fake_summary(config, losses, moved).model_dump())
    write_json(place.run, fake_run(**run).model_dump())
    result = fake_result(config, error_px, per_dot)
    write_block(place.probe / files.RESULT_FILE, result)
    dynamics = fake_dynamics(error_px)
    write_json(place.probe / files.METRICS_FILE, result.flat(dynamics))
    write_json(place.probe / files.DYNAMICS_FILE, dynamics)
    if adam_px:
        adam = fake_result(config, adam_px, per_dot, solver="adam")
        write_block(place.probe / files.ADAM_FILE, adam)
    write_block(place.probe / files.PATHS_FILE, fake_paths(config.dots, error_px))


def write_fake_curve(file: Path, losses):
    """Write a loss curve of one term."""
    rows = [f"{','.join(map(str, row.values()))}\n" for row in fake_curve(losses)]
    write_text(file, "step,epoch,loss\n" + "".join(rows))


def fake_curve(losses) -> list[dict[str, float]]:
    """Return a loss curve of one term."""
    steps = enumerate(losses, start=1)
    return [{"step": float(i), "epoch": i / len(losses), "loss": loss} for i, loss in steps]


def fake_summary(config, losses=(4.0, 3.0, 2.0), moved=0.5) -> Summary:
    """Return what train.json says of a training with these losses."""
    return Summary(
        identity="0" * 24,
        settings=settings_of_weights(config),
        data_checksum="abc123",
        noise_source="uniform",
        weights_checksum=WEIGHTS,
        steps=len(losses),
        sequences=64 * len(losses),
        final=fake_curve(losses)[-1] if losses else {},
        weights_moved={"encoder": moved},
    )


def fake_run(**changes) -> RunRecord:
    """Return what run.json says of a training that took a second."""
    content = {
        "started": "2000-01-01T00:00:00+00:00",
        "seconds": 1.0,
        "sequences_per_second": 64.0,
        "device": "cpu",
        "threads": 1,
        "arithmetic": "float32",
        "machine": {"cpu": "a test", "cores": 2, "platform": "nowhere"},
        "packages": {"torch": "0"},
        "git_revision": "f00d" * 10,
    }
    return RunRecord(**content | changes)


def fake_dynamics(error_px):
    """Return what dynamics.json says of encodings with the more noise, the larger the error."""
    noise = min(error_px / CENTRE_PX, 1) ** 2
    return {
        "encoding_variance": 1.0,
        "variance_over_time": 0.5 * (1 - noise),
        "copy_mse": 0.25,
        "copy_direction_mse": 0.5,
        "prediction_mse": 0.5,
        "prediction_direction_mse": 0.25,
        "motion_r2": 1 - noise,
        "effective_rank": 100.0,
        "noise_share": noise,
        "dot_share": 0.75 * (1 - noise),
        "interaction_share": 0.25 * (1 - noise),
        "noise_r2": noise / 2,
    }


def fake_paths(dots, error_px):
    """Return eight straight paths, decoded `error_px` to the side and less and less of it."""
    true = np.zeros((8, STEPS, dots, 2))
    true[..., 0] = np.linspace(5, 20, STEPS)[:, None]
    true[..., 1] = np.linspace(6, 20, 8)[:, None, None]
    decoded = true.copy()
    decoded[..., 1] += error_px * np.linspace(0.1, 1, 8)[:, None, None]
    return Paths(dots=list(DOTS[:dots]), true=true.tolist(), decoded=decoded.tolist())
