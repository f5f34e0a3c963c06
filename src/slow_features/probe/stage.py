"""The evaluation of trained weights: a file of weights in, the files of the result out."""

from __future__ import annotations

import sys
from pathlib import Path

from slow_features.config.load import with_adam
from slow_features.config.schema import Experiment
from slow_features.data.cache import data_for
from slow_features.data.stream import BatchStream
from slow_features.errors import InputError
from slow_features.files import write_json, write_text
from slow_features.identity import evaluation_identity, other_settings
from slow_features.models.base import WorldModel
from slow_features.probe.contents import measure_contents
from slow_features.probe.dynamics import measure_dynamics
from slow_features.probe.evaluate import Evaluation, evaluate, evaluation_stream
from slow_features.probe.result import ProbeResult, write_block
from slow_features.results import files
from slow_features.training.machine import prepare_machine
from slow_features.training.session import build_model
from slow_features.weights import load_weights


def load_model(config: Experiment, weights: Path) -> WorldModel:
    """Return the trained model of a file of weights, in evaluation mode, on the settings' device.

    Raises InputError when the weights are of another model or were trained with other settings.
    """
    model = build_model(config, prepare_machine(config))
    had = load_weights(weights, model).get("settings", {})
    other = other_settings(config, had)
    if other:
        raise InputError(
            f"{weights}: trained with other settings ({', '.join(other)}); allowed: the settings "
            "that it was trained with"
        )
    return model.eval()


def evaluate_weights(
    config: Experiment, weights: Path, folder: Path, adam_probe: bool = False
) -> ProbeResult:
    """Evaluate a file of weights and write the files of the result into `folder`.

    adam_probe: with the published probe as well. Raises as `load_model` and `evaluate`.
    """
    model, dataset = load_model(config, weights), data_for(config)
    device = next(model.parameters()).device
    evaluation = evaluate(model, config, dataset, device)
    result = _named(evaluation.result, config, adam_probe)
    stream = evaluation_stream(config, dataset, device)
    encodings = measure_encodings(model, stream, config.seed)
    write_evaluation(Evaluation(result, evaluation.paths), folder, encodings)
    if adam_probe:
        published = with_adam(config)
        beside = evaluate(model, published, data_for(published), device).result
        write_block(folder / files.ADAM_FILE, _named(beside, config, adam_probe))
    files.seal(folder)
    _warn_of_too_few(result)
    return result


def measure_encodings(model: WorldModel, stream: BatchStream, seed: int) -> dict[str, float]:
    """Return how the encodings of the stream's frames move, and what they hold."""
    return measure_dynamics(model, stream, seed) | measure_contents(model, stream)


def _warn_of_too_few(result: ProbeResult) -> None:
    """Say on stderr that a probe had more weights than sequences to fit them on."""
    probe = result.enc
    if probe.solver == "closed_form" and probe.fitted_on < result.embedding_size:
        print(
            f"note: the probe was fitted on {probe.fitted_on} sequences, fewer than the "
            f"{result.embedding_size} numbers of an embedding: its errors say nothing; "
            "raise probing_cfg.sequences",
            file=sys.stderr,
        )


def _named(result: ProbeResult, config: Experiment, adam_probe: bool) -> ProbeResult:
    return result.model_copy(update={"identity": evaluation_identity(config, adam_probe)})


def write_evaluation(evaluation: Evaluation, folder: Path, encodings: dict[str, float]) -> None:
    """Write result, headline metrics, example paths, the error by time step, and the encodings.

    encodings: see `measure_encodings`.
    """
    result = evaluation.result
    write_block(folder / files.RESULT_FILE, result)
    write_block(folder / files.PATHS_FILE, evaluation.paths)
    write_json(folder / files.METRICS_FILE, result.flat(encodings))
    write_json(folder / files.DYNAMICS_FILE, encodings)
    write_text(folder / files.STEPS_FILE, files.errors_by_step(result))
