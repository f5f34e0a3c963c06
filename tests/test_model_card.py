"""The card beside a model's weights says what they are, and where they are missing."""

from __future__ import annotations

import pytest
import torch

from slow_features.config.schema import Experiment
from slow_features.errors import InputError
from slow_features.results.model_card import CARD_FILE, model_card, read_header, stored_weights
from slow_features.results.track import entry_of
from slow_features.tracking import backfill
from slow_features.tracking.store import open_store
from slow_features.weights import FORMAT, checksum, write_tensors
from tests.fake_results import fake_result, fake_summary, places_below, write_fake_cell

CONFIG = Experiment(dataset_static_noise=1.25)
TENSORS = {
    "encoder.weight": torch.ones(3, 4),
    "encoder.bias": torch.zeros(3),
    "predictor.weight": torch.zeros(5),
}


def summary_of(tensors):
    return fake_summary(CONFIG).model_copy(update={"weights_checksum": checksum(tensors)})


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "model.safetensors"
    write_tensors(file, TENSORS, {"format": FORMAT, "settings": {}})
    return file


def test_the_header_is_that_of_the_file(weights):
    header = read_header(weights)
    assert header.parameters == {"encoder": 15, "predictor": 5}
    assert header.checksum == checksum(TENSORS)
    assert header.description["format"] == FORMAT


def test_the_card_says_what_the_file_says(weights):
    summary = summary_of(TENSORS)
    card = model_card(summary, weights, fake_result(CONFIG, 3.25))
    for text in (
        "# VICReg, training 000", "20 (encoder 15, predictor 5)", FORMAT, checksum(TENSORS),
        summary.data_checksum, "| 3.25 |", '"dataset_static_noise": 1.25', "load_model",
    ):  # fmt: skip
        assert text in card


def test_without_the_file_the_card_says_so():
    card = model_card(summary_of(TENSORS), None)
    assert "Not here: git has no weights" in card
    assert checksum(TENSORS) in card
    assert "load_model" not in card
    assert "Not evaluated" in card


def test_weights_of_another_machine_are_not_those_of_the_record(weights):
    assert stored_weights(summary_of(TENSORS), weights) == weights
    others = TENSORS | {"encoder.bias": torch.ones(3)}
    assert stored_weights(summary_of(others), weights) is None
    assert stored_weights(summary_of(TENSORS), weights.with_name("none")) is None


def test_a_damaged_file_is_refused_and_not_attached(weights):
    weights.write_bytes(weights.read_bytes()[:20])
    with pytest.raises(InputError, match="not a sound safetensors file"):
        read_header(weights)
    assert stored_weights(summary_of(TENSORS), weights) is None


def test_a_run_of_a_result_in_git_has_a_card_and_settings(store_root, tmp_path):
    from slow_features.config.load import load_config
    from slow_features.grid.cells import Cell

    cell = Cell("quick", "fixed_uniform", "1.25", "VICReg", "published", 1, "a.yaml", CONFIG)
    place = places_below(tmp_path)(cell)
    write_fake_cell(place, CONFIG, 3.25)
    assert backfill([entry_of(CONFIG, "probe", place, {})]) == 1
    (run,) = open_store().find()
    files = store_root / "mlartifacts" / run.info.run_id / "artifacts"
    assert "Not here" in (files / CARD_FILE).read_text()
    assert not (files / "model.safetensors").exists()
    settings = load_config([str(files / "config.yaml")]).config
    assert settings == CONFIG
