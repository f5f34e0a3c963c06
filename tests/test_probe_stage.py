"""`stages/probe.py` by hand evaluates the weights that the settings describe, and no others."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest

from slow_features.config.load import load_config
from slow_features.probe.result import read_result
from slow_features.results.files import Place, read_outputs
from slow_features.results.record import hand_out
from slow_features.results.store import StoredCell
from slow_features.weights import FORMAT, read_tensors, write_tensors

STAGE = Path(__file__).parents[1] / "stages/probe.py"
SIZES = {"embedding_size": 16, "backbone_width_factor": 1, "epochs": 2}
SETTINGS = {
    "dataset_noise": 1.5, "dataset_batch_size": 16, "dataset_size": 64, "val_dataset_size": 32,
    "n_steps": 5, "val_n_steps": 5, "threads": 1, "probing_cfg": {"sequences": 64},
    "output_path": "run", "vicreg": SIZES, "simclr": SIZES, "idm": SIZES,
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with a training by hand that nobody has evaluated, and no data set."""
    root = tmp_path_factory.mktemp("trained")
    (root / "dvc.yaml").touch()
    (root / "params.yaml").write_text(json.dumps(SETTINGS))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DVC_ROOT", raising=False)
        patch.chdir(root)
        hand_out(StoredCell(load_config(["params.yaml"]).config).train(), Path("run"))
    for name in (".cells", ".cache", ".checkpoints"):
        shutil.rmtree(root / name)
    return root


@pytest.fixture
def project(trained, store_root):
    for name in ("params.yaml", "run"):
        source = trained / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, store_root / name)
    return store_root


def probe(monkeypatch, *values: str) -> int:
    """Run the script as a user does; return its exit code."""
    arguments = ["--configs", "params.yaml", *(["--values", *values] if values else [])]
    monkeypatch.setattr(sys, "argv", [str(STAGE), *arguments])
    try:
        runpy.run_path(str(STAGE), run_name="__main__")
    except SystemExit as error:
        return error.code
    return 0


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


OTHERS = {
    "another seed": (["seed=2"], "seed"),
    "other noise": (["dataset_noise=1"], "dataset_noise"),
    "fixed noise": (["dataset_noise=0", "dataset_static_noise=1.5"], "dataset_static_noise"),
    "structured noise": (["dataset_structured_noise=true"], "dataset_structured_noise"),
    "another model type of the same shape": (["model_type=SimCLR"], "model_type"),
    "another rate": (["vicreg.base_lr=0.7"], "vicreg"),
    "a longer training": (["vicreg.epochs=3"], "vicreg"),
    "longer sequences": (["n_steps=6"], "n_steps"),
    "frames that are not normalised": (["dataset_normalize=false"], "dataset_normalize"),
    "larger dots": (["dataset_dot_std=1.4"], "dataset_dot_std"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_weights_of_other_settings_are_refused(what, project, monkeypatch, capsys):
    values, name = OTHERS[what]
    before = contents(project)
    assert probe(monkeypatch, *values) == 2
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert line.startswith("error: run/train/model.safetensors: trained with other settings (")
    assert name in line and "allowed: " in line and shown.out == ""
    assert contents(project) == before


def test_weights_that_do_not_say_their_settings_are_refused(project, monkeypatch, capsys):
    file = project / "run/train/model.safetensors"
    content = read_tensors(file, FORMAT)
    write_tensors(file, content.tensors, {"format": FORMAT})
    assert probe(monkeypatch) == 2
    assert "trained with other settings" in capsys.readouterr().err
    assert not (project / "run/probe").exists()


def test_a_result_that_is_there_survives_a_refusal(project, monkeypatch, capsys):
    assert probe(monkeypatch) == 0
    before = contents(project / "run")
    assert probe(monkeypatch, "seed=2") == 2
    assert contents(project / "run") == before


def test_the_weights_are_evaluated(project, monkeypatch, capsys):
    assert probe(monkeypatch) == 0
    outputs = read_outputs(Place.below(project / "run"))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"VICReg, changing_uniform 1.5: RMSE {outputs.result.pred.rmse_px:.2f}")


@pytest.mark.parametrize(
    "value",
    ["probing_cfg.sequences=48", "val_dataset_size=40", "val_n_steps=6", "run_name=x",
     "simclr.base_lr=0.7", "precision=auto"],
)  # fmt: skip
def test_what_is_not_of_the_training_may_be_another(value, project, monkeypatch, capsys):
    assert probe(monkeypatch) == 0
    first = read_result(project / "run/probe/result.json")
    assert probe(monkeypatch, value) == 0
    second = read_result(project / "run/probe/result.json")
    assert second.weights_checksum == first.weights_checksum
    assert (second.identity == first.identity) == (value.partition("=")[0] in SAME_RESULT)


SAME_RESULT = ("run_name", "simclr.base_lr")


def test_the_same_weights_give_the_same_bytes(project, monkeypatch, capsys):
    assert probe(monkeypatch) == 0
    before = contents(project / "run/probe")
    shutil.rmtree(project / "run/probe")
    assert probe(monkeypatch) == 0
    assert contents(project / "run/probe") == before
