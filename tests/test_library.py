"""The functions for notebooks, and that their page works as it is written."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import slow_features
from slow_features.errors import InputError
from slow_features.experiment import train_by_hand
from slow_features.grid.cells import cells_of
from slow_features.grid.run import record_finished, run_cell, stored
from slow_features.results.files import Place, read_outputs
from tests.test_pipeline import ROOT, shrink_params

PAGE = (ROOT / "docs/library.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
LABELS = ["scale", "family", "alpha", "model", "variant", "seed"]
SMALL = {"dataset_size": 32, "val_dataset_size": 32, "n_steps": 4, "val_n_steps": 4}
SIZES = {"epochs": 1, "batch_at_most": 16, "embedding_size": 16, "backbone_width_factor": 1}


def make_project(root):
    """Write the settings of a project in which quick is three cells of VICReg, all of them tiny."""
    shutil.copytree(ROOT / "reproduce_configs", root / "reproduce_configs")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, root)
    shrink_params(root / "params.yaml")
    grids = yaml.safe_load((ROOT / "grids.yaml").read_text())
    quick = grids["quick"]
    quick["settings"] = SMALL | {"probing_cfg": {"sequences": 48}}
    quick["budgets"]["VICReg"] = SIZES
    quick["variants"] = {"control": quick["variants"]["control"] | {"models": ["VICReg"]}}
    quick["levels"] |= {"changing_uniform": [], "three_dots": ["0"]}
    (root / "grids.yaml").write_text(yaml.safe_dump({**grids, "models": ["VICReg"]}))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project in which the scale quick has run."""
    root = tmp_path_factory.mktemp("project")
    make_project(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("DVC_ROOT", raising=False)
        cells = cells_of("quick")
        for cell in cells:
            run_cell(cell)
        record_finished(cells)
    return root


@pytest.fixture
def project(made, monkeypatch):
    monkeypatch.chdir(made)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return made


def cell_of(family, variant="published"):
    found = {(c.family, c.variant): c for c in cells_of("quick", model_type="VICReg")}
    return found[family, variant]


def test_the_page_works_as_it_is_written(project, capsys):
    exec("\n".join(BLOCKS), {})
    shown = capsys.readouterr().out
    assert len(BLOCKS) == 3
    assert "three_dots" in shown
    assert "over sequences" in shown
    assert shown.endswith("px\n")


def test_the_page_names_every_column(project):
    named = re.findall(r"^\| (`[^|]*`) \|", PAGE, re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(named)) == list(slow_features.load_results().columns)


def test_results_are_tidy_and_typed(project):
    table = slow_features.load_results("quick")
    assert not table.duplicated([*LABELS, "dot"]).any()
    assert len(table) == 3 + 3  # fixed published and control, three dots; its single dots
    for name in ("scale", "family", "model", "variant", "dot"):
        assert isinstance(table[name].dtype, pd.CategoricalDtype), name
    assert table[["seed", "steps", "sequences"]].dtypes.map(str).unique() == ["int64"]
    assert table[["alpha", "error_px", "published_unit"]].dtypes.map(str).unique() == ["float64"]
    found = read_outputs(Place.recorded(cell_of("fixed_uniform").path))
    row = table[(table.family == "fixed_uniform") & (table.variant == "published")].iloc[0]
    assert row.error_px == found.result.pred.rmse_px
    assert row.error_unit == pytest.approx(row.error_px / 28)
    assert (row.seconds, row.steps) == (found.run.seconds, 2)
    assert np.isnan(row.published_unit)


def test_table_1_has_its_published_values(project):
    table = slow_features.load_results("quick").set_index(["family", "dot"])
    published = table.published_unit.loc["three_dots"]
    assert dict(published) == {"all": 0.229, "action": 0.277, "random": 0.273, "stationary": 0.066}
    errors = table.error_px.loc["three_dots"]
    assert errors["all"] ** 2 == pytest.approx((errors[1:] ** 2).mean(), rel=1e-4)


def test_all_scales_and_an_unreadable_cell(project, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".cells", ".cache"))
    monkeypatch.chdir(copy)
    assert len(slow_features.load_results()) == len(slow_features.load_results("quick"))
    (Place.recorded(cell_of("three_dots").path).probe / "result.json").write_text("{}")
    with pytest.warns(UserWarning, match="three_dots.*not readable"):
        assert len(slow_features.load_results("quick")) == 2
    assert slow_features.load_results("standard").empty
    allowed = "mixtures, paper, published, quick"
    with pytest.raises(InputError, match=f"scale = 'nope': allowed: {allowed}"):
        slow_features.load_results("nope")


def test_a_model_is_that_of_its_cell_or_folder(project, tmp_path):
    cell = cell_of("fixed_uniform", "control")
    model = slow_features.load_model(str(cell.path))
    assert not model.training
    config = cell.config.model_copy(update={"output_path": str(tmp_path / "by-hand")})
    train_by_hand(config)
    again = slow_features.load_model(tmp_path / "by-hand")
    assert all((a == b).all() for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_no_weights_says_how_to_get_them(project):
    shutil.move(stored(cell_of("three_dots")).place.train, project / "aside")
    name = str(cell_of("three_dots").path)
    with pytest.raises(InputError, match=f"make reproduce CELLS={name}"):
        slow_features.load_model(name)
    shutil.move(project / "aside", stored(cell_of("three_dots")).place.train)
    with pytest.raises(InputError, match=r"runs/nothing: neither a folder .* nor a cell"):
        slow_features.load_model("runs/nothing")


def test_weights_of_other_settings_are_refused(project):
    one, other = (stored(cell_of("fixed_uniform", v)).place for v in ("published", "control"))
    kept = one.train.rename(one.train.with_name("kept"))
    shutil.copytree(other.train, one.train)
    with pytest.raises(InputError, match="trained with other settings"):
        slow_features.load_model(str(cell_of("fixed_uniform").path))
    shutil.rmtree(one.train)
    kept.rename(one.train)


def test_batches_of_every_kind_of_settings(project):
    config = cell_of("fixed_uniform").config
    settings = config.model_dump()
    (batch,) = slow_features.batches(config, "evaluation")
    (same,) = slow_features.batches(settings, "evaluation")
    (named,) = slow_features.batches(str(cell_of("fixed_uniform").path), "evaluation")
    assert batch.states.shape == (32, 4, 1, 28, 28)
    assert (batch.states == same.states).all()
    assert (batch.states == named.states).all()
    assert len(list(slow_features.batches(config, "train"))) == 2  # 32 sequences, 16 at once
    assert [len(b.states) for b in slow_features.batches(config, "probe")] == [48]
    with pytest.raises(InputError, match="split = 'test': allowed: train, probe, evaluation"):
        slow_features.batches(config, "test")
    with pytest.raises(InputError, match="did you mean dataset_noise"):
        slow_features.batches(["dataset_noize=1"], "train")


def test_paths_are_those_of_the_report(project):
    true, decoded = slow_features.decoded_paths(str(cell_of("three_dots").path))
    assert true.shape == decoded.shape == (8, 4, 3, 2)
    assert np.abs(true - decoded).max() > 0
    with pytest.raises(InputError, match="nor a cell"):
        slow_features.decoded_paths("quick/VICReg")


def test_the_import_is_cheap():
    code = "import slow_features, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "pandas", "numpy", "slow_features.library"} & set(done.stdout.split())
    assert (Path(slow_features.__file__).parent / "py.typed").exists()
