"""The report of one experiment shows everything, needs no other file, and runs nobody's script."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from slow_features.config.load import load_config
from slow_features.config.schema import Experiment
from slow_features.data.cache import data_for
from slow_features.data.noise import NoiseSetting
from slow_features.errors import InputError
from slow_features.probe.result import read_paths
from slow_features.report.experiment import write_experiment_report
from slow_features.report.samples import evaluation_samples, picture_samples
from slow_features.results.files import Place
from slow_features.results.store import StoredCell
from slow_features.results.track import entry_of

SCRIPT = "<script>document.title='run'</script>"
SMALL = {"embedding_size": 16, "backbone_width_factor": 1, "epochs": 1}


def settings(**changes):
    """Return an experiment that runs in about a second."""
    small = {
        "dataset_noise": 1.5,
        "dataset_size": 64,
        "dataset_batch_size": 32,
        "val_dataset_size": 40,
        "threads": 1,
        "vicreg": SMALL,
        "probing_cfg": {"sequences": 40},
    }
    return Experiment(**small | changes)


def run(config, root):
    """Train and evaluate below `root`; return the data set and where the result lies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        return data_for(config), StoredCell(config).evaluate()


def copied(place, folder):
    """Return the place of a copy of a result, to be spoilt."""
    copy = Place.below(folder / "copy")
    shutil.copytree(place.train, copy.train)
    shutil.copytree(place.probe, copy.probe)
    return copy


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished experiment with a hostile name, and its report."""
    root = tmp_path_factory.mktemp("experiment")
    config = settings(run_name=f"{SCRIPT} | `x`\n\n    ```", run_group="<b>")
    dataset, place = run(config, root)
    write_experiment_report(config, place, root / "report")
    return config, dataset, place, root / "report"


def test_the_page_needs_no_other_file(done):
    page = (done[3] / "index.html").read_text()
    assert page.count('<img src="data:image/svg+xml;base64,') == 4
    assert not re.search(r"""\b(src|href)=(?!"data:|"#|"runs.html"|"http://127|"\w+\.csv")""", page)
    assert "@import" not in page
    assert "url(" not in page


def test_the_shares_of_noise_and_dot_are_metrics_of_dvc_and_mlflow(done):
    config, _, place, _ = done
    measured = json.loads((place.probe / "dynamics.json").read_text())
    shares = {name: measured[name] for name in ("noise_share", "dot_share")}
    metrics = json.loads((place.probe / "metrics.json").read_text())
    logged = entry_of(config, "probe", place, {}).metrics
    assert metrics.items() >= shares.items()
    assert logged.items() >= metrics.items()
    assert sum(shares.values()) + measured["interaction_share"] == pytest.approx(1, abs=1e-5)


def test_what_a_user_wrote_is_text_in_html_and_markdown(done):
    for name in ("index.html", "runs.html", "report.md", "settings.md"):
        text = (done[3] / name).read_text()
        lines = [line for line in text.splitlines() if not line.startswith("    ")]
        assert "<script" not in "\n".join(lines), name
        assert "&lt;script&gt;" in text, name
    cells = (done[3] / "settings.md").read_text().splitlines()
    assert {line.count("|") for line in cells} == {5}, "a name has opened a new cell"


def test_figures_and_tables_lie_beside_the_page(done):
    files = {path.name for path in (done[3]).iterdir()}
    figures = {f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    tables = {f"{name}.{kind}" for name in TABLES for kind in ("csv", "md")}
    assert files == figures | tables | {"index.html", "report.md", "runs.html", "config.yaml"}


FIGURES = ("samples", "losses", "error_by_frame", "paths")
TABLES = ("errors", "settings", "provenance", "runs")


def test_the_page_names_result_and_origin(done):
    config, dataset, place, report = done
    page = (report / "index.html").read_text()
    result = (place.probe / "metrics.json").read_text()
    shown = float(re.search(r'"rmse_px": ([\d.]+)', result).group(1))
    assert f"<b>{shown:.2f} px</b>" in page
    for text in ("dataset_noise", "--configs"):
        assert text in page
    for text in ("cores", "torch", "sequences/s"):
        assert text in (report / "runs.html").read_text()
        assert text not in page, "it differs from run to run"
    assert dataset.checksum_for(NoiseSetting.from_config(config)) in page


def test_names_stand_left_and_numbers_right(done):
    page = (done[3] / "index.html").read_text()
    row = re.search(r"<th([^>]*)>always the centre</th>\s*<td([^>]*)>", page)
    assert "number" not in row.group(1)
    assert "number" in row.group(2)


def test_the_kept_configuration_is_the_experiment(done):
    assert load_config([done[3] / "config.yaml"]).config == done[0]


def test_the_same_results_give_the_same_bytes(done, tmp_path):
    """Whatever part of the grid `scale` chooses: DVC makes the page no second time for it."""
    config, _, place, report = done
    shutil.copytree(report, tmp_path / "first")
    write_experiment_report(config.model_copy(update={"scale": "seeds"}), place, report)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (report / path.name).read_bytes(), path.name


def test_pictures_without_the_data_set_show_the_same_frames_to_the_bit(done):
    """A report draws what the evaluation saw from counters alone."""
    config, dataset, place, _ = done
    alone, stored = picture_samples(config), evaluation_samples(config, dataset)
    for drawn, seen in zip(alone, stored, strict=True):
        assert np.array_equal(drawn, seen)
    assert np.allclose(alone.locations, read_paths(place.probe / "paths.json").true, atol=1e-3)


def test_results_of_other_settings_are_refused(done, tmp_path):
    config, _, place, _ = done
    other = config.model_copy(update={"seed": 7})
    with pytest.raises(InputError, match="other settings \\(seed\\)"):
        write_experiment_report(other, place, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_paths_of_other_sequences_are_refused(done, tmp_path):
    place = copied(done[2], tmp_path)
    paths = place.probe / "paths.json"
    paths.write_text(re.sub(r"\d+\.\d+", "3.0", paths.read_text()))
    with pytest.raises(InputError, match="not those of these settings' sequences"):
        write_experiment_report(done[0], place, tmp_path / "report")


@pytest.mark.parametrize(
    "name", ["probe/result.json", "train/train.json", "train/curves.csv", "train/run.json"]
)
def test_a_missing_file_is_named(done, tmp_path, name):
    place = copied(done[2], tmp_path)
    (tmp_path / "copy" / name).unlink()
    with pytest.raises(InputError, match=name.rpartition("/")[2]):
        write_experiment_report(done[0], place, tmp_path / "report")


def test_a_model_without_training_and_three_dots(tmp_path):
    """Random has no loss curve; three dots have a column and a line each."""
    random = {"embedding_size": 16, "backbone_width_factor": 1, "channels": 3}
    config = settings(
        model_type="Random", dataset_type="Multiple", dataset_noise=0.0, random=random
    )
    _, place = run(config, tmp_path)
    write_experiment_report(config, place, tmp_path / "report")
    page = (tmp_path / "report/index.html").read_text()
    assert "this model is not trained" in page
    assert "stationary dot, px" in page
    assert "Red, green, blue: action, random, stationary dot." in page
    assert not (tmp_path / "report/losses.svg").exists()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_a_browser_shows_the_script_as_text(done, tmp_path):
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path}", "--dump-dom"]
    page = (done[3] / "index.html").as_uri()
    dom = subprocess.run([*command, page], capture_output=True, text=True, timeout=120).stdout
    assert re.search(r"<h1>&lt;script&gt;", dom)
    assert "<title>run</title>" not in dom
