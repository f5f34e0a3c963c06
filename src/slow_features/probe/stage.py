"""The evaluation of one training: its weights in, the result files out, the run in MLflow."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from slow_features import tracking
from slow_features.config.schema import Experiment
from slow_features.data.store import StoredDataset
from slow_features.files import write_json, write_text
from slow_features.models.base import WorldModel
from slow_features.probe.dynamics import measure_dynamics
from slow_features.probe.evaluate import Evaluation, evaluate, evaluation_stream
from slow_features.probe.result import ProbeResult, write_block, write_metrics
from slow_features.training.identity import identity
from slow_features.training.machine import prepare_machine
from slow_features.training.session import build_model
from slow_features.weights import load_weights

RESULT_FILE = "result.json"
METRICS_FILE = "metrics.json"
PATHS_FILE = "paths.json"
STEPS_FILE = "rmse_by_step.csv"
DYNAMICS_FILE = "dynamics.json"
ADAM_FILE = "result_adam.json"


def load_model(config: Experiment, weights: Path) -> WorldModel:
    """Return the trained model of a file of weights, on the device that the settings name.

    Raises InputError when the weights are of another model.
    """
    model = build_model(config, prepare_machine(config))
    load_weights(weights, model)
    return model


def write_dynamics(
    model: WorldModel, config: Experiment, dataset: StoredDataset, folder: Path
) -> None:
    """Write how the states move in time, beside what copying frame 0 would give."""
    device = next(model.parameters()).device
    stream = evaluation_stream(config, dataset, device)
    write_json(folder / DYNAMICS_FILE, measure_dynamics(model, stream, config.seed))


def probe(config: Experiment, dataset: StoredDataset, weights: Path, folder: Path) -> ProbeResult:
    """Evaluate, write the result files into `folder` and log them to the training's MLflow run."""
    model = load_model(config, weights)
    evaluation = evaluate(model, config, dataset, next(model.parameters()).device)
    write_evaluation(evaluation, folder)
    write_dynamics(model, config, dataset, folder)
    result = evaluation.result
    tags = {"data_checksum": result.data_checksum, "weights_checksum": result.weights_checksum}
    name = identity(config, dataset)
    with tracking.run(config, stage="probe", identity=name, tags=tags) as run:
        run.log_metrics(result.flat())
        run.log_metrics({"rmse_by_step_px": result.pred.per_step_px})
        run.log_artifact(folder / RESULT_FILE)
    return result


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write result, headline metrics, example paths and the error by time step."""
    result = evaluation.result
    write_block(folder / RESULT_FILE, result)
    write_block(folder / PATHS_FILE, evaluation.paths)
    write_metrics(folder / METRICS_FILE, result)
    write_text(folder / STEPS_FILE, _by_step(result))


def _by_step(result: ProbeResult) -> str:
    """Return the error by time step as CSV: the probe and always answering the centre, px."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["frame", "rmse_px", "centre_rmse_px"])
    writer.writerows(_steps(result))
    return text.getvalue()


def _steps(result: ProbeResult) -> list[tuple[int, float, float]]:
    """Return (frame, error of the probe, error of the centre) for every time step, px."""
    errors = zip(result.pred.per_step_px, result.centre.per_step_px, strict=True)
    return [(frame, probe, centre) for frame, (probe, centre) in enumerate(errors)]
