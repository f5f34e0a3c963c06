"""The files of one finished training and its evaluation, read without changing anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slow_features.config.schema import Experiment
from slow_features.errors import InputError
from slow_features.probe.result import Paths, ProbeResult, read_paths, read_result
from slow_features.probe.stage import ADAM_FILE, DYNAMICS_FILE, PATHS_FILE, RESULT_FILE
from slow_features.tracking.backfill import read_curve
from slow_features.training.identity import settings_of_weights
from slow_features.training.train import COST_FILE, CURVES_FILE, SUMMARY_FILE, WEIGHTS_FILE
from slow_features.weights import read_description

# Settings that say where a training ran, not what it is; the source of images is in every result.
_PLACES = frozenset({"device", "threads", "precision", "dataset_structured_noise_path"})


@dataclass(frozen=True)
class Outputs:
    """What one training and its evaluation left behind.

    summary: train.json. curve: one row of loss terms per window of steps, empty if nothing is
    trained. cost: seconds and machine. revision: of the code that trained, None if unknown.
    adam: the result with the published probe. dynamics: see probe.dynamics. None if not measured.
    """

    result: ProbeResult
    paths: Paths
    summary: dict[str, Any]
    curve: list[dict[str, float]]
    cost: dict[str, Any]
    revision: str | None
    adam: ProbeResult | None = None
    dynamics: dict[str, float] | None = None


def read_outputs(train: Path, probe: Path) -> Outputs:
    """Read the folders of a training and of its evaluation.

    Raises InputError for a file that is missing or damaged.
    """
    adam, dynamics = probe / ADAM_FILE, probe / DYNAMICS_FILE
    return Outputs(
        result=read_result(probe / RESULT_FILE),
        paths=read_paths(probe / PATHS_FILE),
        summary=_read_json(train / SUMMARY_FILE),
        curve=_read_curve(train / CURVES_FILE),
        cost=_read_json(train / COST_FILE),
        revision=read_description(train / WEIGHTS_FILE).get("git_revision"),
        adam=read_result(adam) if adam.exists() else None,
        dynamics=_read_json(dynamics) if dynamics.exists() else None,
    )


def other_settings(config: Experiment, outputs: Outputs) -> list[str]:
    """Return the names of the settings that the training had otherwise than `config` has."""
    asked, had = settings_of_weights(config), outputs.summary["settings"]
    names = sorted((asked.keys() | had.keys()) - _PLACES)
    return [name for name in names if asked.get(name) != had.get(name)]


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; run the stage that writes it") from None
    except ValueError as error:
        raise InputError(f"{file}: not JSON ({error}); run the stage that writes it") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: holds no JSON object; run the stage that writes it")
    return content


def _read_curve(file: Path) -> list[dict[str, float]]:
    try:
        return read_curve(file)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; run the training") from None
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: not a table of numbers ({error}); train again") from None
