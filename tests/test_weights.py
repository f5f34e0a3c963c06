"""Weights that travel by a DVC remote: gathered, pushed, pulled elsewhere, not trained again."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from slow_features import paths
from slow_features.config.load import load_config
from slow_features.results.files import RUN_FILE, TRAIN, WEIGHTS_FILE, Place
from slow_features.results.gathered import gather, gathered_file
from slow_features.results.record import record
from slow_features.results.store import StoredCell
from tests.test_pipeline import ROOT, commit, git, make_clone, run

NAME = Path("quick/VICReg/changing_uniform/a-cell")
SMALL = [
    "dataset_noise=1.5", "dataset_batch_size=16", "dataset_size=32", "val_dataset_size=32",
    "n_steps=5", "val_n_steps=5", "threads=1", "vicreg.epochs=1", "vicreg.embedding_size=16",
    "vicreg.backbone_width_factor=1",
]  # fmt: skip


def small_cell(*values):
    return StoredCell(load_config([], [*SMALL, "probing_cfg.sequences=64", *values]).config)


@pytest.fixture
def elsewhere(tmp_root):
    """A project with the record of a training and its gathered weights, and an empty store."""
    place = small_cell().train()
    record(NAME, place, TRAIN)
    assert gather(NAME, place.weights)
    shutil.rmtree(paths.cells())


def test_a_training_comes_back_and_is_evaluated_otherwise(elsewhere, monkeypatch):
    monkeypatch.setattr("slow_features.training.train.train", None)  # whoever trains fails
    place = small_cell("probing_cfg.sequences=48").evaluate()
    assert place.weights.read_bytes() == gathered_file(NAME).read_bytes()
    assert place.run.read_bytes() == Place.recorded(NAME).run.read_bytes()
    assert json.loads((place.probe / "result.json").read_bytes())["enc"]["fitted_on"] == 48


def test_other_weights_are_named_and_not_taken(elsewhere, capsys):
    wanted, other = gathered_file(NAME).read_bytes(), small_cell("seed=2").train().weights
    gathered_file(NAME).unlink()
    assert not gather(NAME, other)
    assert not gathered_file(NAME).exists()
    shutil.copy(other, gathered_file(NAME))
    assert small_cell().train().weights.read_bytes() == wanted  # trained again
    assert f"{gathered_file(NAME)}: not the weights that git has" in capsys.readouterr().err


def test_settings_of_another_training_are_trained(elsewhere):
    assert small_cell("vicreg.base_lr=0.1").train().weights.read_bytes() != (
        gathered_file(NAME).read_bytes()
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_pulled_weights_are_evaluated_without_training(tmp_path):
    """With real DVC: one machine gathers and pushes, another, with nothing, pulls."""
    cells = "quick/VICReg/changing_uniform"
    first, second = make_clone(tmp_path / "first"), tmp_path / "second"
    shutil.copytree(ROOT / "weights", first / "weights")
    run(first, "dvc", "remote", "add", "-d", "shared", str(tmp_path / "remote"))
    run(first, sys.executable, "stages/reproduce.py", cells)
    commit(first, "results")
    assert "weights" not in run(first, "dvc", "status").stdout  # nothing is gathered unless asked
    (first / "weights/params.yaml").write_text("gathered: [quick]\n")
    gathering = ("dvc", "repro", "--single-item", "weights/dvc.yaml")
    assert "weights@quick" in run(first, *gathering).stdout
    assert "Running stage" not in run(first, *gathering).stdout
    run(first, "dvc", "push", "weights/dvc.yaml")
    commit(first, "weights gathered")

    git(tmp_path, "clone", "-q", str(first), str(second))
    run(second, "dvc", "pull", "weights/dvc.yaml")
    grids = yaml.safe_load((second / "grids.yaml").read_text())
    grids["quick"]["settings"]["probing_cfg"]["sequences"] = 48
    (second / "grids.yaml").write_text(yaml.safe_dump(grids))
    run(second, sys.executable, "stages/reproduce.py", cells)
    (theirs,), (ours,) = (list(f.glob(".cells/*/train")) for f in (first, second))
    for name in (WEIGHTS_FILE, RUN_FILE):  # seconds and start are in the latter: no second run
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()
    (result,) = second.glob(f"results/probe/{cells}/*/result.json")
    assert json.loads(result.read_bytes())["pred"]["fitted_on"] == 48
