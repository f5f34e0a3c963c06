"""Claim: an evaluation's numbers are those of the slow form, on sequences nothing was fitted on."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from slow_features.config.schema import Experiment
from slow_features.data.geometry import bounds, normalise_locations, padding
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import DatasetSpec, open_dataset, write_dataset
from slow_features.data.stream import BatchStream
from slow_features.errors import InputError, TrainingError
from slow_features.models.base import WorldModel
from slow_features.models.registry import MODELS
from slow_features.probe.adam import fit_adam
from slow_features.probe.evaluate import evaluate, fit_probes, weights_checksum
from slow_features.probe.features import collect
from slow_features.probe.result import write_block
from tests.reference.slow_probe import (
    slow_errors,
    slow_evaluation,
    slow_least_squares,
    slow_mean_squares,
    slow_probe_epoch,
    slow_rollout,
)

CPU = torch.device("cpu")
PX = (27 - 2 * padding(1.3)) / 12**0.5  # px in one normalised unit of location
SIZE = {"embedding_size": 24, "backbone_width_factor": 1}
SIZES = {"train": 64, "probe": 160, "evaluation": 60}


def write(folder, noises, dataset_type="Single", channels=1):
    write_dataset(DatasetSpec(dataset_type, 1.3, 5, 5, 1, SIZES), noises, folder, channels)
    return open_dataset(folder)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    noises = [NoiseSetting(), NoiseSetting(changing=1.5)]
    return write(tmp_path_factory.mktemp("data") / "one", noises)


def settings(model_type="VICReg", probe=None, **changes):
    section = {model_type.lower(): SIZE}
    probing = {"sequences": 160, **(probe or {})}
    sizes = {"val_dataset_size": 60, "dataset_size": 64, "n_steps": 5, "val_n_steps": 5}
    return Experiment(
        model_type=model_type, **{**section, **sizes, "probing_cfg": probing, **changes}
    )


def build(config, seed=0):
    torch.manual_seed(seed)
    return MODELS[config.model_type].model_class()(config.model, dots=config.dots)


class Oracle(WorldModel):
    """Knows where the dot is: the centroid of frame 0, moved by the actions inside the walls."""

    def __init__(self):
        super().__init__(SimpleNamespace(), dots=1)

    def rollout(self, frames, actions, generator):
        mass = frames[0, :, 0].clamp(min=0)
        grid = torch.arange(28.0)
        rows, columns = (mass.sum(2) * grid).sum(1), (mass.sum(1) * grid).sum(1)
        places = [torch.stack([columns, rows], 1) / mass.sum((1, 2))[:, None]]
        low, high = bounds(1.3)
        for action in actions:
            places.append((places[-1] + action).clamp(low, high))
        states = torch.stack(places)
        return torch.cat([states, torch.ones_like(states[..., :1])], -1)


class Constant(Oracle):
    """Says the same of every sequence."""

    def rollout(self, frames, actions, generator):
        return torch.full((len(actions) + 1, frames.shape[1], 3), self.value)

    value = 2.0


def test_a_model_that_knows_the_location_has_no_error_and_its_paths_are_true(dataset):
    config = settings(dataset_normalize=False)
    evaluation = evaluate(Oracle(), config, dataset, CPU)
    assert evaluation.result.pred.rmse_px < 0.05
    assert evaluation.result.enc.rmse_px < 0.05
    assert not evaluation.result.pred.collapsed
    assert evaluation.result.centre.rmse_px > 5
    true, _ = dataset.sequences("evaluation", 0, 8)
    np.testing.assert_allclose(evaluation.paths.true, true, atol=6e-4)
    np.testing.assert_allclose(evaluation.paths.decoded, true, atol=0.2)


def test_the_centre_is_measured_on_the_same_sequences(dataset):
    centre = evaluate(Oracle(), settings(), dataset, CPU).result.centre
    true, _ = dataset.sequences("evaluation", 0, 60)
    squares = ((true - 13.5) ** 2).sum(-1).mean(0)
    assert centre.per_step_px == pytest.approx(np.sqrt(squares[:, 0]).tolist(), rel=1e-5)
    assert centre.rmse_px == pytest.approx(np.sqrt(squares.mean()), rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 2.0])
def test_a_constant_model_is_reported_as_collapsed_and_does_no_better_than_the_centre(
    dataset, value
):
    model = Constant()
    model.value = value
    result = evaluate(model, settings(), dataset, CPU).result
    for probe in (result.pred, result.enc):
        assert probe.collapsed
        assert probe.spread < 1e-6
        assert probe.rank == (1 if value else 0)
    assert result.pred.rmse_px == pytest.approx(result.centre.rmse_px, rel=0.05)


def test_a_model_that_is_not_finite_is_an_error(dataset):
    model = Constant()
    model.value = float("nan")
    with pytest.raises(TrainingError, match="not finite"):
        evaluate(model, settings(), dataset, CPU)


def full_batches(dataset, split, size, batch_size=None, channels=1):
    """Every frame of every sequence rendered: index -> TimeMajorBatch."""
    stream = BatchStream(
        dataset, split, NoiseSetting(changing=1.5), batch_size or size, CPU, channels,
        sequences=size,
    )  # fmt: skip
    return lambda index: stream.batch(index).time_major()


def gru_step(model):
    gru = model.predictor
    return lambda state, action: torch.gru_cell(action, state, *gru.all_weights[0])


def test_agrees_with_the_slow_form(dataset):
    """All frames rendered, GRU step by step, numpy's least squares, errors in nested loops."""
    config = settings(dataset_noise=1.5)
    model = build(config)
    result = evaluate(model.train(), config, dataset, CPU).result
    model.eval()
    batches = [
        full_batches(dataset, split, size)(0)
        for split, size in (("probe", 160), ("evaluation", 60))
    ]
    with torch.no_grad():
        fit, test = (torch.stack(slow_rollout(model.encode, gru_step(model), b)) for b in batches)
    for probe, steps in ((result.pred, 5), (result.enc, 1)):
        weight = slow_least_squares([fit[:steps]], [batches[0].locations[:steps]])
        decoded = (test[:steps].double().numpy() @ weight.T).reshape(steps, 60, 1, 2)
        squares = slow_mean_squares(
            PX * decoded, PX * batches[1].locations[:steps].double().numpy()
        )
        expected = slow_errors(squares, ["action"])
        assert probe.rmse_px == pytest.approx(expected["rmse_px"], rel=1e-5)
        assert probe.per_step_px == pytest.approx(expected["per_step_px"], rel=1e-5)
        assert (probe.solver, probe.fitted_on) == ("closed_form", 160)
    assert (result.evaluated_on, result.embedding_size) == (60, 24)


@pytest.mark.parametrize("kind", ["pred", "enc"])
def test_adam_agrees_with_the_slow_form(dataset, kind):
    """2 epochs of 60 sequences in batches of 16, dropping what is left: 6 updates."""
    probe = {"solver": "adam", "epochs": 2, "epochs_enc": 2, "batch_size": 16, "lr": 0.01}
    config = settings(dataset_noise=1.5, probe=probe)
    model = build(config).eval()
    ours = getattr(fit_probes(model, config, dataset, CPU), kind)
    assert ours.sequences == 96
    render = full_batches(dataset, "probe", 96, batch_size=16)
    slow = nn.Linear(24, 2, bias=False)
    stream = BatchStream(dataset, "probe", NoiseSetting(changing=1.5), 16, CPU)
    start = fit_adam(collect(model, stream, 0), 0.01, 0, 0, seed=config.seed)
    slow.weight.data.copy_(start.pred.weight)
    optimizer = torch.optim.Adam(slow.parameters(), lr=0.01)
    slow_probe_epoch(render, model.encode, gru_step(model), slow, optimizer, 6, kind)
    torch.testing.assert_close(ours.weight, slow.weight.detach(), rtol=1e-5, atol=1e-5)


def test_a_supervised_model_is_measured_by_its_own_probe_on_batch_statistics(dataset):
    config = settings("Supervised", dataset_noise=1.5)
    model = build(config)
    before = weights_checksum(model)
    result = evaluate(model, config, dataset, CPU).result
    assert (result.pred.solver, result.pred.fitted_on, result.pred.rank) == ("own", 0, None)
    assert result.enc.solver == "closed_form"
    assert result.weights_checksum == before == weights_checksum(model)  # no statistic moved
    render = full_batches(dataset, "evaluation", 60)
    slow = slow_evaluation(
        render, model.train().encode, gru_step(model), model.own_probe, 1, "pred"
    )
    assert result.pred.per_step_px == pytest.approx((PX * np.sqrt(slow)).tolist(), rel=1e-5)


@pytest.mark.parametrize("model_type", ["VICReg", "RSSM", "Supervised"])
def test_twice_the_same_bytes(dataset, tmp_path, model_type):
    config = settings(model_type, dataset_noise=1.5)
    for seed, run in enumerate(("one", "two")):
        model = build(config)
        torch.manual_seed(seed)  # the global random state must not matter
        evaluation = evaluate(model, config, dataset, CPU)
        write_block(tmp_path / run / "probe.json", evaluation.result)
        write_block(tmp_path / run / "paths.json", evaluation.paths)
    for name in ("probe.json", "paths.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_three_dots_have_names_and_errors_of_their_own(tmp_path):
    dataset = write(tmp_path / "three", [NoiseSetting()], "Multiple", channels=3)
    config = settings(dataset_type="Multiple", vicreg={**SIZE, "channels": 3})
    evaluation = evaluate(build(config), config, dataset, CPU)
    centre = evaluation.result.centre
    assert list(centre.per_dot_px) == ["action", "random", "stationary"]
    assert len(set(centre.per_step_per_dot_px["stationary"])) == 1  # it stands still
    assert len(set(centre.per_step_per_dot_px["random"])) == 5
    mean_square = np.mean(np.square(list(centre.per_dot_px.values())))
    assert centre.rmse_px == pytest.approx(np.sqrt(mean_square), rel=1e-5)
    assert np.shape(evaluation.paths.decoded) == (8, 5, 3, 2)


def test_too_little_data_is_an_error_of_the_configuration(dataset):
    for config, message in (
        (settings(probe={"sequences": 161}), "split 'probe'"),
        (settings(val_dataset_size=61), "split 'evaluation'"),
        (settings(probe={"solver": "adam", "batch_size": 10}), "split 'probe'"),
    ):
        with pytest.raises(InputError, match=message):
            evaluate(Oracle(), config, dataset, CPU)


def test_the_checksum_sees_every_weight_and_statistic():
    config = settings()
    model = build(config)
    seen = {weights_checksum(model)}
    for value in model.state_dict().values():
        value.flatten()[0] += 1
        seen.add(weights_checksum(model))
    assert len(seen) == 1 + len(model.state_dict())


def test_px_is_the_unit_of_the_data():
    """Guards PX: a normalised unit is so many px."""
    low, high = bounds(1.3)
    width = normalise_locations(np.array([high]), 1.3) - normalise_locations(np.array([low]), 1.3)
    assert width[0] * PX == pytest.approx(high - low)
