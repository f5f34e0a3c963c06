"""One evaluation: fit both probes on the probe split, measure them on the evaluation split."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch

from slow_features.config.schema import ExperimentBase
from slow_features.data.counters import Split
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import StoredDataset
from slow_features.data.stream import EVALUATION_BATCH, BatchStream
from slow_features.models.base import WorldModel
from slow_features.probe.adam import fit_adam
from slow_features.probe.closed_form import fit_closed_form
from slow_features.probe.features import collect
from slow_features.probe.linear import LinearProbe, Probes
from slow_features.probe.measure import Units, measure
from slow_features.probe.result import Noise, Paths, ProbeResult
from slow_features.weights import checksum


class Evaluation(NamedTuple):
    """The numbers of an evaluation, and a few decoded paths to draw."""

    result: ProbeResult
    paths: Paths


def evaluate(
    model: WorldModel, config: ExperimentBase, dataset: StoredDataset, device: torch.device
) -> Evaluation:
    """Probe the rollouts and the encodings of a trained model under the configuration's noise.

    Fits on the probe split and measures on the evaluation split, which nothing was fitted on.
    The model is left as it was. Raises InputError when the data set holds too few sequences and
    TrainingError when the model's states are not finite.
    """
    probes = fit_probes(model, config, dataset, device)
    stream = evaluation_stream(config, dataset, device)
    units = Units(config.dataset_dot_std, config.dataset_normalize)
    measured = measure(probes, collect(model, stream, config.seed), units)
    result = ProbeResult(
        model_type=config.model_type,
        dataset_type=config.dataset_type,
        noise=Noise.of(NoiseSetting.from_config(config)),
        seed=config.seed,
        embedding_size=probes.enc.weight.shape[1],
        evaluated_on=measured.sequences,
        pred=measured.pred,
        enc=measured.enc,
        centre=measured.centre,
        data_checksum=dataset.checksum_for(stream.noise),
        weights_checksum=weights_checksum(model),
    )
    return Evaluation(result, measured.paths)


def evaluation_stream(
    config: ExperimentBase, dataset: StoredDataset, device: torch.device
) -> BatchStream:
    """Return the sequences that every model is measured on, or is chosen on. Raises as `evaluate`.

    Those of "validation" lie behind those of "evaluation" in the same split: neither a training nor
    the probe's fit has seen them, and who chooses on them has not chosen on the evaluation's.
    """
    size = config.val_dataset_size
    skipped = size if config.probing_cfg.measured_on == "validation" else 0
    return _stream(config, dataset, "evaluation", size, device, skipped=skipped)


def fit_probes(
    model: WorldModel, config: ExperimentBase, dataset: StoredDataset, device: torch.device
) -> Probes:
    """Fit both probes on the probe split with the configured solver.

    A model with a probe of its own (Supervised) keeps it for rollouts. Raises as `evaluate`.
    """
    settings = config.probing_cfg
    if settings.solver == "adam":
        probes = _fit_adam_on_split(model, config, dataset, device)
    else:
        stream = _stream(config, dataset, "probe", settings.sequences, device)
        probes = fit_closed_form(collect(model, stream, config.seed))
    if model.own_probe is None:
        return probes
    own = LinearProbe(model.own_probe.weight.detach(), "own", sequences=0)
    return replace(probes, pred=own)


def _fit_adam_on_split(
    model: WorldModel, config: ExperimentBase, dataset: StoredDataset, device: torch.device
) -> Probes:
    """Give Adam its epochs of val_dataset_size fresh sequences, in whole batches, as published."""
    settings = config.probing_cfg
    batch_size = settings.batch_size or config.dataset_batch_size
    per_epoch = config.val_dataset_size // batch_size
    steps_pred = 0 if model.own_probe is not None else settings.epochs * per_epoch
    steps_enc = settings.epochs_enc * per_epoch
    sequences = max(steps_pred, steps_enc) * batch_size
    stream = _stream(config, dataset, "probe", sequences, device, batch_size)
    batches = collect(model, stream, config.seed)
    return fit_adam(batches, settings.lr, steps_pred, steps_enc, config.seed)


def _stream(
    config: ExperimentBase,
    dataset: StoredDataset,
    split: Split,
    sequences: int,
    device: torch.device,
    batch_size: int = EVALUATION_BATCH,
    skipped: int = 0,
) -> BatchStream:
    """Open `sequences` of a split behind the `skipped` first ones, every one of them.

    A batch is as large for every model, trained with whatever batch: all see the same frames.
    """
    return BatchStream(
        dataset,
        split,
        NoiseSetting.from_config(config),
        min(batch_size, sequences),
        device,
        config.model.channels,
        config.dataset_normalize,
        sequences,
        keep_rest=True,
        skipped=skipped,
    )


def weights_checksum(model: WorldModel) -> str:
    """Return the SHA-256 of a model's weights: names, types, shapes and bytes, sorted by name."""
    return checksum(model.state_dict())
