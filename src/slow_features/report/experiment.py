"""The report of one experiment: question, answer in px, pictures, settings, origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from slow_features.config.cli import as_yaml
from slow_features.config.schema import Experiment
from slow_features.errors import InputError
from slow_features.files import atomic_folder, write_text
from slow_features.identity import other_settings
from slow_features.report.cell_tables import mlflow_url, revisions
from slow_features.report.curves import (
    Line,
    draw_error_by_frame,
    draw_loss_curves,
    error_by_frame_alt,
    loss_curves_alt,
)
from slow_features.report.page import write_page, write_runs
from slow_features.report.pictures import (
    Strip,
    caption,
    channel_note,
    draw_paths,
    draw_strips,
    noise_note,
    path_note,
    path_panels,
)
from slow_features.report.samples import Samples, picture_samples
from slow_features.report.settings import differences_table
from slow_features.report.style import Picture, method, save, styled
from slow_features.report.tables import Table
from slow_features.results.files import Outputs, Place, read_outputs

CONFIG_FILE = "config.yaml"
_SHOWN = 3  # sample sequences


def write_experiment_report(config: Experiment, place: Place, folder: Path) -> None:
    """Write index.html, report.md, figures and tables about one experiment, replacing `folder`.

    place: where its result lies. Reads results and computes none.
    Raises InputError when results are missing, damaged, or of other settings or sequences.
    """
    config = config.model_copy(update={"scale": Experiment().scale})  # the grid's, not its own
    found = read_outputs(place)
    samples = picture_samples(config)
    _require_same_experiment(config, samples, found, place)
    with atomic_folder(folder) as beside, styled():
        write_text(beside / CONFIG_FILE, as_yaml(config))
        pictures = _pictures(found, samples, beside)
        tables = {
            "settings": differences_table(config),
            "errors": errors_table(found),
            "provenance": _provenance_table(found),
        }
        content = {
            "headline": _headline(config, found),
            "command": _command(folder),
            "settings_yaml": as_yaml(config),
            "run": {
                "identity": found.summary.identity,
                "mlflow": mlflow_url(found.summary.identity),
            },
        }
        write_page(beside, "experiment", content, pictures, tables)
        write_runs(beside, content["headline"]["name"], _run_table(found))


def _require_same_experiment(
    config: Experiment, samples: Samples, found: Outputs, place: Place
) -> None:
    """Raise InputError when the results are not those of the settings and of their sequences."""
    other = other_settings(config, found.summary.settings)
    if other:
        raise InputError(
            f"{place.train}: made with other settings ({', '.join(other)}); run the train and "
            "probe stages again"
        )
    true = np.array(found.paths.true)
    drawn = samples.locations[: len(true)]
    if true.shape != drawn.shape or not np.allclose(true, drawn, atol=1e-3):
        raise InputError(
            f"{place.probe}: the paths are not those of these settings' sequences; run the probe "
            "stage again"
        )


def _headline(config: Experiment, found: Outputs) -> dict[str, str]:
    """Return the numbers at the top of the page, as they are shown."""
    result, label = found.result, method(config.model_type).label
    noise = result.noise.family.replace("_", " ")
    setting = "no noise" if noise == "none" else f"{noise} noise {result.noise.alpha:g}"
    dots = "" if result.dataset_type == "Single" else ", three dots"
    return {
        "name": config.run_name or f"{label}, {setting}{dots}",
        "label": label,
        "error": f"{result.pred.rmse_px:.2f}",
        "unit": f"{result.pred.rmse_unit:.3f}",
        "centre": f"{result.centre.rmse_px:.2f}",
        "centre_unit": f"{result.centre.rmse_unit:.3f}",
        "seen": f"{result.enc.rmse_px:.2f}",
    }


def _command(folder: Path) -> str:
    """Return the command that repeats the experiment from the settings kept in the report."""
    source = str(folder / CONFIG_FILE)
    return f"python stages/train.py --configs {source} --values output_path=runs/again"


def _pictures(found: Outputs, samples: Samples, folder: Path) -> dict[str, Picture]:
    colour, curve = method(found.result.model_type).colour, found.curve
    lines, centre = error_lines(found), found.result.centre.per_step_px
    stored = path_panels(found.paths, samples.seen[:, 0])
    noise = found.result.noise
    errors = "; ".join(f"{panel.error:.1f}" for panel in stored)
    pictures = [
        save(
            lambda width: draw_strips(sample_strips(samples), width),
            folder,
            "samples",
            "What the model sees",
            caption(
                "Sequences of the evaluation split; above, the number of the frame.",
                channel_note(samples.locations.shape[2]),
                noise_note(noise.source),
            ),
            f"Rows of frames, noise: {noise.family.replace('_', ' ')} {noise.alpha:g}.",
        ),
        save(
            lambda width: draw_error_by_frame(lines, centre, width),
            folder,
            "error_by_frame",
            "Error by time step",
            "RMSE over the evaluation sequences. The probe reads the encoding of frame 0, then the "
            "states that the model predicts from the actions alone.",
            error_by_frame_alt(lines, centre),
        ),
        save(
            lambda width: draw_paths(stored, width),
            folder,
            "paths",
            "True and decoded paths",
            caption(
                "Drawn over frame 0, the only one that the rollout sees; markers are at frame 0. "
                "The stored example sequences, from the smallest error to the largest.",
                path_note(samples.locations.shape[2]),
            ),
            f"True and decoded paths of the stored sequences. RMSE in px: {errors}.",
        ),
    ]
    if curve:
        size = found.summary.settings["dataset_size"]
        pictures.append(
            save(
                lambda width: draw_loss_curves(curve, colour, size, width),
                folder,
                "losses",
                "Loss curves",
                "Each term without its weight; the loss is the weighted sum that is minimised.",
                loss_curves_alt(curve),
            )
        )
    return {picture.name: picture for picture in pictures}


def sample_strips(samples: Samples) -> list[Strip]:
    """Return the first sequences as rows: with their noise and, below, without."""
    strips = []
    for number in range(min(_SHOWN, len(samples.seen))):
        strips.append(Strip(f"sequence {number}\nas seen", samples.seen[number]))
        if not np.array_equal(samples.seen[number], samples.clean[number]):
            strips.append(Strip("without\nnoise", samples.clean[number]))
    return strips


def error_lines(found: Outputs) -> list[Line]:
    """Return the error by frame: one line, or one for each dot."""
    model = method(found.result.model_type)
    per_dot = found.result.pred.per_step_per_dot_px
    if len(per_dot) == 1:
        return [Line(model.label, found.result.pred.per_step_px, model.colour)]
    styles = dict(zip(per_dot, ("-", "--", ":"), strict=True))
    return [
        Line(f"{model.label},\n{dot} dot", values, model.colour, styles[dot])
        for dot, values in per_dot.items()
    ]


def errors_table(found: Outputs) -> Table:
    """Return the errors of both probes and of the centre, overall and per dot."""
    result = found.result
    kinds = {
        "rollout: frame 0 and the predicted states": result.pred,
        "encoding of frame 0 alone": result.enc,
        "always the centre": result.centre,
    }
    dots = list(result.pred.per_dot_px) if len(result.pred.per_dot_px) > 1 else []
    rows = [
        (name, errors.rmse_px, errors.rmse_unit, *(errors.per_dot_px[dot] for dot in dots))
        for name, errors in kinds.items()
    ]
    columns = ("what is decoded", "RMSE, px", "RMSE, unit square", *(f"{d} dot, px" for d in dots))
    digits = {column: 3 if "unit" in column else 2 for column in columns[1:]}
    caption = f"Over {result.evaluated_on} sequences that neither model nor probe has seen."
    return Table("errors", "Errors", caption, columns, rows, digits)


def _provenance_table(found: Outputs) -> Table:
    result, summary = found.result, found.summary
    rows: list[tuple[str, Any]] = [
        ("data set (checksum)", result.data_checksum),
        ("weights (checksum)", result.weights_checksum),
        ("noise made of", result.noise.source),
        ("states", result.states() or "not looked at: the probe is the model's own"),
        ("trained on", f"{summary.sequences} sequences, {summary.steps} steps"),
    ]
    caption = "As recorded by the training."
    return Table("provenance", "Where it comes from", caption, ("what", "value"), rows)


def _run_table(found: Outputs) -> Table:
    run = found.run
    rows: list[tuple[str, Any]] = [
        ("code (git revision)", revisions(run)),
        ("training took", f"{run.seconds} s, {run.sequences_per_second} sequences/s"),
        ("in", f"{found.arithmetic}: the arithmetic of convolutions and products"),
        ("on", f"{run.device}, {run.threads} threads; {run.computer}, {run.machine['platform']}"),
        ("packages", ", ".join(f"{name} {v or 'none'}" for name, v in run.packages.items())),
    ]
    caption = "As recorded by the training. In brackets: revisions that took the result over."
    return Table("runs", "The run", caption, ("what", "value"), rows)
