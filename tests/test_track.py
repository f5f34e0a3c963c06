"""Runs in MLflow for results in git and by hand: one damaged result stops no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from slow_features.config.load import load_config
from slow_features.errors import MachineError
from slow_features.experiment import log_result
from slow_features.grid.cells import cells_of
from slow_features.paths import EXPERIMENT
from slow_features.results.files import SUMMARY_FILE, Place
from slow_features.results.track import TrackingError, track, track_everything
from slow_features.tracking.store import open_store
from tests.fake_results import write_fake_cell

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(store_root):
    """A project with three results in git, a training by hand, and an empty MLflow."""
    for name in ("grids.yaml", "reproduce_configs", "params.yaml"):
        Path(name).symlink_to(ROOT / name)
    cells = cells_of("quick")[:3]
    places = [*(Place.recorded(cell.path) for cell in cells), Place.below(Path("runs/mine"))]
    for number, place in enumerate(places, start=3):
        write_fake_cell(place, cells[min(number - 3, 2)].config, float(number))
        summary = place.train / SUMMARY_FILE
        summary.write_text(summary.read_text().replace("0" * 24, str(number) * 24))
    return cells


def errors():
    return sorted(run.data.metrics["error/rmse_px"] for run in open_store().find())


def test_every_result_has_its_run_also_those_by_hand(project):
    assert track_everything() == 4
    assert errors() == pytest.approx([3, 4, 5, 6])
    assert {run.data.tags["arithmetic"] for run in open_store().find()} == {"float32"}
    assert track_everything() == 0


@pytest.mark.parametrize("content", [b"{}", b"[]", b"", b"\xff", b"[" * 5000])
def test_a_damaged_result_is_named_and_the_others_have_their_runs(project, content):
    file = Place.recorded(project[1].path).train / SUMMARY_FILE
    file.write_bytes(content)
    with pytest.raises(TrackingError, match=f"no run in MLflow for:\n  {project[1].path}: {file}"):
        track_everything()
    assert errors() == pytest.approx([3, 5, 6])
    with pytest.raises(TrackingError, match=str(project[1].path)):
        track("quick")


def test_a_store_that_does_not_work_costs_one_line(project, monkeypatch, capsys):
    def broken(_):
        raise MachineError("MLflow, mlflow.db: locked")

    monkeypatch.setattr("slow_features.tracking.backfill", broken)
    log_result(project[2].config, "probe", Place.below(Path("runs/mine")))
    assert capsys.readouterr().err == (
        "warning: MLflow, mlflow.db: locked; the results are complete without it\n"
    )


def test_a_result_of_other_settings_gets_no_run_under_the_settings_of_today(project):
    Path("params.yaml").unlink()
    text = (ROOT / "params.yaml").read_text()
    write_fake_cell(Place.recorded(EXPERIMENT), load_config([ROOT / "params.yaml"]).config, 9.0)
    Path("params.yaml").write_text(text.replace("\nseed: 1", "\nseed: 2"))
    with pytest.raises(TrackingError, match=r"train/experiment: made with other settings \(seed\)"):
        track_everything()
    assert errors() == pytest.approx([3, 4, 5, 6])


def test_a_run_that_knows_more_than_the_files_of_a_training_by_hand_stays(project):
    """They do not say how it was evaluated: the run of the training itself does."""
    place = Place.below(Path("runs/mine"))
    log_result(project[2].config, "probe", place)
    (live,) = open_store().find()
    assert track_everything() == 3
    assert live.info.run_id in {run.info.run_id for run in open_store().find()}
    summary = place.probe / "result.json"
    summary.write_text(summary.read_text().replace("6.0", "7.0"))
    assert track_everything() == 1  # evaluated again: another result


def test_the_experiment_is_beside_the_cells_of_its_setting(project):
    config = load_config([ROOT / "params.yaml"]).config
    write_fake_cell(Place.recorded(EXPERIMENT), config, 9.0)
    track_everything()
    query = 'tags.setting = "changing_uniform 1.5" and tags.scale = "quick"'
    found = {run.data.tags["variant"]: run for run in open_store().find(query)}
    assert set(found) == {"published", "experiment"}
    assert found["experiment"].info.run_name == "VICReg changing 1.5 experiment s1 quick"
    note = found["published"].data.tags["mlflow.note.content"]
    assert f"To repeat it: `python stages/cell.py {project[0].path.parent.parent.parent}" in note
