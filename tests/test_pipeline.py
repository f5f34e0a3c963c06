"""The DVC pipeline for real, in a clone of its own with tiny settings."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
COPIED = (
    ".dvcignore", ".gitignore", "dvc.yaml", "grids.yaml", "params.yaml",
    "reproduce_configs", "src", "stages", ".dvc/config",
)  # fmt: skip
EXPERIMENT = "experiment-report"


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return make_clone(tmp_path_factory.mktemp("clone") / "slow-features")


@pytest.fixture(scope="module")
def experiment(clone):
    """The clone with the experiment computed, by whichever test comes first, and committed."""
    run(clone, "dvc", "repro", "-q", EXPERIMENT)
    return commit(clone)


@pytest.fixture(scope="module")
def reproduced(clone):
    """The clone with everything computed and committed."""
    run(clone, sys.executable, "stages/reproduce.py")
    return commit(clone)


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "results")
    return folder


def make_clone(folder):
    """Make a git repository with this checkout's files, tiny sizes and nothing computed."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(source, target)
    shrink_params(folder / "params.yaml")
    shrink_grid(folder / "grids.yaml")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        git(folder, *command)
    return folder


def shrink_params(file):
    text = file.read_text()
    for old, new in {
        "dataset_size: 10000": "dataset_size: 64",
        "dataset_batch_size: 64": "dataset_batch_size: 16",
        "sequences: 10000": "sequences: 64",
        "epochs: 2\n": "epochs: 1\n",
        "embedding_size: 512": "embedding_size: 16",
        "backbone_width_factor: 2": "backbone_width_factor: 1",
        "threads: 2": "threads: 1",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)


def shrink_grid(file):
    """Two models, a few sequences: every kind of stage runs, none learns."""
    grids = yaml.safe_load(file.read_text())
    grids["models"] = ["VICReg", "Random"]
    small = {"dataset_size": 64, "val_dataset_size": 64, "probing_cfg": {"sequences": 64}}
    grids["quick"]["settings"] = small
    sizes = {"epochs": 1, "embedding_size": 16, "backbone_width_factor": 1, "batch_at_most": 16}
    grids["quick"]["budgets"] = {"VICReg": sizes}
    grids["quick"]["variants"]["control"]["models"] = ["VICReg"]
    file.write_text(yaml.safe_dump(grids))


def git(folder, *arguments):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True
    )


def environment(folder):
    """Return the environment in which commands use the clone's own code, as `make` would."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "test", "GIT_COMMITTER_EMAIL": "test@example.org",
    }  # fmt: skip


def run(folder, *command, check=True):
    """Run a command in a clone."""
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def metrics(folder):
    return json.loads((folder / "outputs/experiment/probe/metrics.json").read_text())


@pytest.mark.timeout(900)
def test_the_whole_pipeline(reproduced):
    """`make reproduce` makes everything; DVC then has nothing to do, and its commands show it."""
    clone = reproduced
    assert "Data and pipelines are up to date" in run(clone, "dvc", "status").stdout
    again = run(clone, "dvc", "repro")
    assert "Running stage" not in again.stdout
    assert "rmse_px" in run(clone, "dvc", "metrics", "show").stdout
    for page in ("experiment", "quick"):
        assert (clone / "reports" / page / "index.html").stat().st_size > 10_000
    stage_names = run(clone, "dvc", "stage", "list", "--name-only").stdout.split()
    assert "train@quick-fixed_uniform-VICReg" in stage_names


def trained(folder):
    """Return the settings of every training in the store of cells, by its name."""
    files = folder.glob(".cells/*/train/train.json")
    return {file.parts[-3]: json.loads(file.read_text())["settings"] for file in files}


@pytest.mark.timeout(900)
def test_a_changed_cell_alone_is_trained_again(reproduced):
    """Its neighbours come from the store; its evaluation and the report follow."""
    clone = reproduced
    before, page = trained(clone), (clone / "reports/quick/index.html").read_text()
    file = clone / "reproduce_configs/sweep_fixed_uniform.(1.25).vicreg.best.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["vicreg"]["base_lr"] = 0.123
    file.write_text(yaml.safe_dump(settings))
    run(clone, sys.executable, "stages/reproduce.py")
    (new,) = trained(clone).keys() - before.keys()
    found = trained(clone)[new]
    assert found["dataset_static_noise"] == 1.25
    assert found["vicreg"]["base_lr"] == pytest.approx(0.123 * settings["dataset_batch_size"] / 16)
    assert list(clone.glob(f".cells/{new}/probe-*/result.json"))
    assert (clone / "reports/quick/index.html").read_text() != page
    assert "Data and pipelines are up to date" in run(clone, "dvc", "status").stdout
    commit(clone)


def test_an_experiment_changes_one_setting(experiment):
    clone, before = experiment, metrics(experiment)
    run(clone, "dvc", "exp", "run", "-q", "-S", "model_type=RSSM", EXPERIMENT)
    assert metrics(clone) != before
    table = json.loads(run(clone, "dvc", "exp", "show", "--json").stdout)
    assert "RSSM" in json.dumps(table)


def test_the_probe_alone_is_run_when_only_the_probe_changes(experiment):
    done = run(experiment, "dvc", "exp", "run", "-S", "probing_cfg.lr=0.5", EXPERIMENT)
    assert "experiment-probe" in done.stdout
    assert "Running stage 'experiment-train'" not in done.stdout


def test_a_bad_setting_ends_with_one_line_and_nothing_written(clone):
    done = run(clone, "dvc", "exp", "run", "-S", "model_type=NOPE", EXPERIMENT, check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "model_type = 'NOPE': allowed: one of VICReg" in text
    assert "Traceback" not in text
