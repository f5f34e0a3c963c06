"""Test data: hand-made result files of grid cells, no number of which was ever measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from slow_features.training.identity import settings_of_weights

from slow_features.data.geometry import DOTS
from slow_features.data.noise import NoiseSetting
from slow_features.probe.metrics import error_table
from slow_features.probe.result import Errors, Noise, Paths, ProbeErrors, ProbeResult, write_block
from slow_features.weights import FORMAT, write_tensors

CENTRE_PX = 9.4
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
        weights_checksum="def456",
    )


def write_fake_cell(
    root: Path, cell, error_px, per_dot=None, losses=(4.0, 3.0, 2.0), moved=0.5, adam_px=None
):
    """Write the folders of a cell's training and evaluation below `root`."""
    place = Path(cell.family, cell.model_type, cell.name)
    train, probe = root / "train" / place, root / "probe" / place
    write_fake_training(train, cell.config, losses, moved)
    write_block(probe / "result.json", fake_result(cell.config, error_px, per_dot))
    if adam_px:
        adam = fake_result(cell.config, adam_px, per_dot, solver="adam")
        write_block(probe / "result_adam.json", adam)
    write_block(probe / "paths.json", fake_paths(cell.config.dots, error_px))


def write_fake_training(folder: Path, config, losses, moved):
    """Write what a training leaves behind."""
    folder.mkdir(parents=True, exist_ok=True)
    losses = losses if config.model_type != "Random" else ()
    rows = [f"{i},{i / len(losses)},{loss}\n" for i, loss in enumerate(losses, start=1)]
    (folder / "curves.csv").write_text("step,epoch,loss\n" + "".join(rows))
    summary = {
        "identity": "0" * 24,
        "settings": settings_of_weights(config),
        "steps": len(losses),
        "sequences": 64 * len(losses),
        "weights_moved": {"encoder": moved},
    }
    (folder / "train.json").write_text(json.dumps(summary))
    machine = {"cpu": "a test", "cores": 2, "platform": "nowhere"}
    cost = {"seconds": 1.0, "sequences_per_second": 64.0, "device": "cpu", "threads": 1}
    (folder / "cost.json").write_text(json.dumps(cost | {"machine": machine}))
    description = {"format": FORMAT, "git_revision": "f00d" * 10}
    write_tensors(folder / "model.safetensors", {"w": torch.zeros(1)}, description)


def fake_paths(dots, error_px):
    """Return eight straight paths, decoded `error_px` to the side and less and less of it."""
    true = np.zeros((8, STEPS, dots, 2))
    true[..., 0] = np.linspace(5, 20, STEPS)[:, None]
    true[..., 1] = np.linspace(6, 20, 8)[:, None, None]
    decoded = true.copy()
    decoded[..., 1] += error_px * np.linspace(0.1, 1, 8)[:, None, None]
    return Paths(dots=list(DOTS[:dots]), true=true.tolist(), decoded=decoded.tolist())
