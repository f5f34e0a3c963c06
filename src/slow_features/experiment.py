"""One experiment, by hand or as DVC's stages: its data set, its training, its evaluation.

It is a cell like those of the grid: made in the same store, by the same functions, so that what
the grid has trained is not trained again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from slow_features import paths
from slow_features.config.schema import Experiment
from slow_features.data.cache import check_data, data_for, joint_spec
from slow_features.data.manifest import MANIFEST
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import STATISTICS
from slow_features.errors import InputError
from slow_features.files import atomic_folder, check_replaceable, check_writable, write_json
from slow_features.results import files
from slow_features.results.files import PROBE, Place
from slow_features.results.record import hand_out, is_recorded, record
from slow_features.results.store import StoredCell
from slow_features.results.track import EXPERIMENT_STAGE, log_result

if TYPE_CHECKING:
    from slow_features.probe.result import ProbeResult


def describe_data(configs: Sequence[Experiment], folder: Path, pictures: bool = True) -> None:
    """Make the data set of these settings, and write what it is into `folder`, replacing it.

    That is what is drawn, with a checksum of it under each noise, the pixel statistics, and
    pictures of each split under the first noise. The sequences stay in .cache/data, where they may
    be more and serve other noise as well. Raises as `data_for`.
    """
    from slow_features.data.pictures import draw_samples

    dataset = data_for(*configs)
    noises = list(dict.fromkeys(NoiseSetting.from_config(config) for config in configs))
    with atomic_folder(folder) as beside:
        write_json(
            beside / MANIFEST,
            {
                "spec": asdict(joint_spec(*configs)),
                "channels": dataset.channels,
                "noises": [asdict(n) | {"checksum": dataset.checksum_for(n)} for n in noises],
            },
        )
        statistics = {noise.key: asdict(dataset.statistics(noise)) for noise in noises}
        write_json(beside / STATISTICS, statistics)
        if pictures:
            draw_samples(dataset, noises[0], beside)


def check_before_work(config: Experiment, weights: Path | None = None) -> None:
    """Refuse what can be refused before data is written, let alone a model trained.

    weights: a file that must fit the model, as `load_checkpoint_path`. Raises InputError, or
    MachineError for a device, memory or a place for the results that is not there.
    """
    from slow_features.training.preflight import check_model
    from slow_features.training.train import check_place

    if config.output_path.startswith("~"):  # no shell has replaced it after the "="
        raise InputError(
            f"output_path = {config.output_path}: would be a folder named ~; allowed: a path "
            "written out, as $HOME/x"
        )
    place = Place.below(Path(config.output_path))
    check_place(place.train)
    check_writable(place.probe)
    check_replaceable(place.probe, "evaluation", files.RESULT_FILE)
    check_model(config, weights or config.load_checkpoint_path)
    check_data(config)


def train_by_hand(config: Experiment) -> None:
    """Train into output_path/train, or copy there what the store has of the same settings."""
    hand_out(StoredCell(config).train(log=True), Path(config.output_path))


def probe_by_hand(config: Experiment) -> None:
    """Evaluate the weights in output_path/train into output_path/probe; print the result.

    Raises InputError when they were trained with other settings.
    """
    from slow_features.probe.stage import evaluate_weights

    place = Place.below(Path(config.output_path))
    with atomic_folder(place.probe) as beside:
        result = evaluate_weights(config, place.weights, beside)
    log_result(config, "probe", place)
    print(summary(result))


def record_step(config: Experiment, step: str) -> None:
    """Do a step of the experiment that params.yaml describes, and keep its small files for git.

    step: "train" or "probe". What is recorded already, of the same settings and code, stays.
    """
    cell = StoredCell(config)
    if not is_recorded(paths.EXPERIMENT, cell, step):
        record(paths.EXPERIMENT, cell.make(step, log=True), step)
    if step == PROBE:
        place = Place.recorded(paths.EXPERIMENT)
        log_result(config, EXPERIMENT_STAGE, place)
        print(summary(files.read_outputs(place).result))


def weights_of(config: Experiment) -> Path:
    """Return the file of weights in output_path. Raises InputError when there is none."""
    weights = Place.below(Path(config.output_path)).weights
    if not weights.exists():
        raise InputError(
            f"{weights}: no such file; allowed: an output_path that a training has written"
        )
    return weights


def summary(result: ProbeResult) -> str:
    """Return the result in one line, in px."""
    return (
        f"{result.model_type}, {result.noise.family} {result.noise.alpha:g}: RMSE "
        f"{result.pred.rmse_px:.2f} px on rollouts, {result.enc.rmse_px:.2f} px on frame 0 "
        f"(always the centre: {result.centre.rmse_px:.2f} px)"
    )
