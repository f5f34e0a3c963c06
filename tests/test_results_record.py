"""What git keeps of a result: its small files, for as long as settings and code are the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path, PurePath

import pytest

from slow_features import identity
from slow_features.results.files import Place, read_outputs
from slow_features.results.record import hand_out, is_recorded, record, remove_others
from slow_features.results.store import StoredCell
from slow_features.weights import read_description
from tests.tiny import small_config

NAME = PurePath("quick/VICReg/changing_uniform/alpha1.5-published-seed1")
CELL = StoredCell(small_config())
RECORDED = {
    f"results/train/{NAME}/{name}" for name in ("curves.csv", "train.json")
} | {f"results/runs/{NAME}.json"} | {
    f"results/probe/{NAME}/{name}"
    for name in ("dynamics.json", "metrics.json", "paths.json", "result.json", "rmse_by_step.csv")
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project with the cell finished and recorded."""
    root = tmp_path_factory.mktemp("recorded")
    (root / "dvc.yaml").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DVC_ROOT", raising=False)
        patch.chdir(root)
        place = CELL.evaluate()
        record(NAME, place, "train")
        record(NAME, place, "probe")
    return root


@pytest.fixture
def kept(finished, tmp_root):
    """The record in a project of its own, whose store is empty: a fresh clone."""
    shutil.copytree(finished / "results", tmp_root / "results")
    return Place.recorded(NAME)


def test_the_small_files_are_kept_and_nothing_else(kept):
    files = {str(file) for file in Path("results").rglob("*") if file.is_file()}
    assert files == RECORDED
    assert sum(Path(file).stat().st_size for file in files) < 100_000
    assert read_outputs(kept).result.identity == CELL.evaluation


def test_the_record_of_a_fresh_clone_counts_as_done(kept):
    assert is_recorded(NAME, CELL, "train") and is_recorded(NAME, CELL, "probe")
    assert not Path(".cells").exists()


@pytest.mark.parametrize("value", ["seed=2", "vicreg.base_lr=0.7", "threads=2"])
def test_of_other_settings_it_is_not_recorded(value, kept):
    other = StoredCell(small_config("VICReg", value))
    assert not is_recorded(NAME, other, "train") and not is_recorded(NAME, other, "probe")


@pytest.mark.parametrize("value", ["probing_cfg.sequences=48", "val_dataset_size=40"])
def test_of_another_probe_the_training_alone_is_recorded(value, kept):
    other = StoredCell(small_config("VICReg", value))
    assert is_recorded(NAME, other, "train") and not is_recorded(NAME, other, "probe")


def test_of_the_published_probe_as_well_the_training_alone_is_recorded(kept):
    both = StoredCell(CELL.config, adam_probe=True)
    assert is_recorded(NAME, both, "train") and not is_recorded(NAME, both, "probe")


@pytest.mark.parametrize(("roots", "still"), [("TRAINING", False), ("EVALUATION", True)])
def test_of_other_code_it_is_not_recorded(roots, still, kept, monkeypatch):
    code_of = identity.code_of
    changed = getattr(identity, roots)
    monkeypatch.setattr(
        identity, "code_of", lambda of, model: "new" if of == changed else code_of(of, model)
    )
    other = StoredCell(small_config())
    assert is_recorded(NAME, other, "train") == still
    assert not is_recorded(NAME, other, "probe")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", None])
@pytest.mark.parametrize("step", ["train", "probe"])
def test_with_a_damaged_file_it_is_not_recorded(step, content, kept):
    file = kept.train / "train.json" if step == "train" else kept.probe / "result.json"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert not is_recorded(NAME, CELL, "probe")
    assert is_recorded(NAME, CELL, "train") == (step == "probe")


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_without_one_of_its_files_it_is_not_recorded(name, kept):
    """So that the stage writes it again, from the store if that has it."""
    Path(name).unlink()
    assert not is_recorded(NAME, CELL, "probe")
    assert is_recorded(NAME, CELL, "train") == name.startswith("results/probe")


@pytest.mark.parametrize("step", ["train", "probe"])
def test_a_record_that_names_other_settings_is_none(step, kept):
    """A report refuses it, and says that its stages have to run again."""
    file = kept.train / "train.json"
    content = json.loads(file.read_text())
    content["settings"]["seed"] = 7
    file.write_text(json.dumps(content))
    assert not is_recorded(NAME, CELL, step)


def test_a_forged_metric_is_no_record(kept):
    """Only metrics.json, which `dvc metrics show` reads, says something else."""
    file = kept.probe / "metrics.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"rmse_px": content["rmse_px"] / 2}))
    assert not is_recorded(NAME, CELL, "probe")


def test_a_forged_error_by_step_is_no_record(kept):
    """What `dvc plots show` draws."""
    file = kept.probe / "rmse_by_step.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], "0,99.0,99.0", *lines[2:], ""]))
    assert not is_recorded(NAME, CELL, "probe")


def test_a_killed_record_of_a_training_is_no_record(finished, kept, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    source = Place(Path(finished / kept.train), kept.probe, Path("new.json"))
    source.run.write_text("{}")
    monkeypatch.setattr("slow_features.results.record._copy", killed)
    with pytest.raises(KeyboardInterrupt):
        record(NAME, source, "train")
    assert kept.run.read_text() == "{}"


def test_an_old_record_is_replaced_whole(kept, finished, monkeypatch):
    (kept.probe / "of_old.json").touch()
    monkeypatch.setenv("DVC_ROOT", str(finished))
    record(NAME, CELL.place, "probe")
    assert not (kept.probe / "of_old.json").exists()
    assert is_recorded(NAME, CELL, "probe")


def test_cells_that_are_no_more_go_and_the_others_stay(kept):
    gone = Place.recorded(NAME.with_name("alpha9-published-seed1"))
    for theirs, ours in ((gone.train, kept.train), (gone.probe, kept.probe)):
        shutil.copytree(ours, theirs)
    shutil.copy(kept.run, gone.run)
    other = Place.recorded(PurePath("quick/VICReg/no_family/alpha1-published-seed1"))
    shutil.copytree(kept.train, other.train)
    remove_others(Path("results/train/quick/VICReg"), {kept.train})
    remove_others(Path("results/probe/quick/VICReg"), {kept.probe})
    remove_others(Path("results/runs/quick/VICReg"), {kept.run})
    assert {str(file) for file in Path("results").rglob("*") if file.is_file()} == RECORDED
    assert not other.train.parent.exists(), "an empty folder is left"
    assert is_recorded(NAME, CELL, "probe")


def test_nothing_is_kept_of_no_cells(kept):
    remove_others(Path("results/train"), set())
    assert not list(Path("results/train").iterdir())


def test_a_training_is_handed_out_with_its_weights(finished, tmp_root, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(finished))
    (tmp_root / "runs/mine/train").mkdir(parents=True)
    (tmp_root / "runs/mine/train/of_old").touch()
    hand_out(CELL.place, Path("runs/mine"))
    place = Place.below(Path("runs/mine"))
    assert {f.name: f.read_bytes() for f in place.train.iterdir()} == {
        f.name: f.read_bytes() for f in CELL.place.train.iterdir()
    }
    assert read_description(place.weights)["settings"]["vicreg"]["embedding_size"] == 16
    assert json.loads(place.run.read_text())["device"] == "cpu"


@pytest.mark.parametrize("module", ["grid.run", "grid.verify", "results.track", "report.summary"])
def test_stages_that_compute_nothing_do_not_wait_for_torch(module):
    code = f"import slow_features.grid_stages, slow_features.{module}, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert f"slow_features.{module}" in loaded.split()
    assert not {"torch", "mlflow"} & set(loaded.split())
