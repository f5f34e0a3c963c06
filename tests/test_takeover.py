"""A refactoring takes the results over, another computation does not; with real git and DVC."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from slow_features.results.files import damage
from tests.test_pipeline import (
    REPRODUCE,
    UP_TO_DATE,
    changed,
    commit,
    environment,
    git,
    make_clone,
    make_experiment,
    ran,
    run,
    trained,
)

TAKEOVER = (sys.executable, "stages/takeover.py")
LOSS = "src/slow_features/losses/vicreg.py"
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def experiment(made_once):
    """A clone in which the experiment alone has run, its result committed; not to be changed."""
    return made_once("experiment", make_experiment)


@pytest.fixture
def clone(experiment, tmp_path):
    return shutil.copytree(experiment, tmp_path / "slow-features", symlinks=True)


def edit(folder, file, old, new):
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def content(folder, step, name="experiment"):
    file = {"train": "train.json", "probe": "result.json"}[step]
    return json.loads((folder / "results" / step / name / file).read_text())


def everything(folder):
    """Return the bytes of all that a takeover may touch."""
    files = [*folder.glob("results/**/*"), *folder.glob(".cells/*/*/*"), folder / "dvc.lock"]
    return {file: file.read_bytes() for file in files if file.is_file()}


def test_a_renamed_variable_is_taken_over(clone):
    before = {step: content(clone, step) for step in ("train", "probe")}
    computed_by, stores = git(clone, "rev-parse", "HEAD~1").strip(), trained(clone)
    edit(clone, LOSS, "centred", "around_zero")
    run(clone, "dvc", "repro", "code")  # as a pipeline does that is then stopped
    commit(clone, "another name")
    done = run(clone, *TAKEOVER)
    assert done.stdout.endswith(": 1; commit them\n"), done.stdout

    after = {step: content(clone, step) for step in ("train", "probe")}
    for step, had in before.items():
        assert had.pop("identity") != after[step].pop("identity")
        assert had == after[step]
    record = json.loads((clone / "results/runs/experiment.json").read_text())
    assert record["git_revision"] == computed_by
    assert record["taken_over"] == [git(clone, "rev-parse", "HEAD").strip()]

    (new,) = trained(clone).keys() - stores.keys()
    assert json.loads((clone / ".cells" / new / "train/run.json").read_text()) == record
    status = run(clone, "dvc", "status", "experiment-train", "experiment-probe", "code").stdout
    assert "up to date" in status, status
    assert ran(run(clone, "dvc", "repro", "experiment-report")) == ["experiment-report"]
    assert trained(clone).keys() == stores.keys() | {new}
    for folder in (clone / ".cells" / new).glob("*/"):
        assert damage(folder) is None


@pytest.mark.slow
def test_a_new_setting_whose_default_changes_nothing_is_taken_over(clone):
    """Also where a scale of new cells asks for it already, which older code cannot read."""
    sections = "src/slow_features/config/sections.py"
    old = "    sigreg_coeff: Coefficient = setting("
    edit(clone, sections, old, f'    new_coeff: Coefficient = setting(0.0, "new")\n{old}')
    grids = yaml.safe_load((clone / "grids.yaml").read_text())
    grids["new"] = grids["quick"] | {"budgets": {"VICReg": {"epochs": 1, "new_coeff": 0.5}}}
    grids = json.loads(json.dumps(grids))  # YAML would make aliases of what is there twice
    (clone / "grids.yaml").write_text(yaml.safe_dump(grids))
    (clone / "results/train/new").mkdir()
    commit(clone, "a new setting")
    done = run(clone, *TAKEOVER)
    assert done.stdout.endswith(": 1; commit them\n"), done.stdout
    assert "new_coeff" not in content(clone, "train")["settings"]["vicreg"]
    assert "up to date" in run(clone, "dvc", "status", "experiment-train").stdout


def test_a_changed_constant_is_refused(clone):
    before = everything(clone)
    edit(clone, LOSS, "1e-4", "2e-4")
    done = run(clone, *TAKEOVER, check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert line.startswith("error: VICReg: a short training as experiment leaves another "), line
    assert everything(clone) == before
    assert changed(clone) == {LOSS}


def test_code_that_does_not_run_is_refused(clone):
    edit(clone, LOSS, "def variance", "raise ZeroDivisionError\n\n\ndef variance")
    done = run(clone, *TAKEOVER, check=False)
    assert (done.returncode, changed(clone)) == (1, {LOSS})
    assert "error: experiment: the code here fails: ZeroDivisionError" in done.stderr


def test_an_untouched_model_type_is_not_tried(clone):
    before = everything(clone)
    edit(clone, "src/slow_features/losses/simclr.py", "return ", "return 2 * ")
    done = run(clone, *TAKEOVER)
    assert "no result is of older code" in done.stdout
    assert "short trainings" not in done.stderr
    touched = {str(f.relative_to(clone)) for f, had in before.items() if f.read_bytes() != had}
    assert touched == {
        "results/code/train/SimCLR.json",
        "results/code/probe/SimCLR.json",
        "dvc.lock",
    }


@pytest.fixture
def grid(tmp_path):
    """A clone in which the whole scale has run, with another name in the loss since then."""
    folder = make_clone(tmp_path / "grid")
    run(folder, *REPRODUCE)
    commit(folder, "results")
    edit(folder, LOSS, "centred", "around_zero")
    commit(folder, "another name")
    return folder


def start(folder, temporary):
    """Start a takeover in a session of its own."""
    temporary.mkdir()
    return subprocess.Popen(
        TAKEOVER,
        cwd=folder,
        env=environment(folder) | {"TMPDIR": str(temporary)},
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_scale_is_taken_over_whatever_is_killed(grid, tmp_path):
    """Stopped while it compares: nothing has changed. Killed while it writes: it goes on."""
    stopped = start(grid, tmp_path / "stopped")
    assert "older code or other settings" in stopped.stderr.readline()
    assert "short trainings" in stopped.stderr.readline()
    time.sleep(3)
    stopped.terminate()
    assert stopped.wait(30) == 143
    assert not changed(grid) and not list((tmp_path / "stopped").iterdir())

    killed = start(grid, tmp_path / "killed")
    while not any("/train/" in file for file in changed(grid)):
        assert killed.poll() is None
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()

    done = run(grid, *TAKEOVER)
    assert "left alone" not in done.stdout
    commit(grid, "taken over")
    here = git(grid, "rev-parse", "HEAD~1").strip()
    for file in grid.glob("results/runs/**/*.json"):
        noted = json.loads(file.read_text())["taken_over"]
        assert noted == ([] if "Random" in file.parts else [here]), file
    before = trained(grid)
    rerun = ran(run(grid, "dvc", "repro"))
    assert not [stage for stage in rerun if "train" in stage or "probe" in stage], rerun
    run(grid, *REPRODUCE)
    assert trained(grid) == before
    assert UP_TO_DATE in run(grid, "dvc", "status").stdout


@pytest.mark.slow
def test_a_cell_of_other_settings_is_left_alone_and_trained(grid):
    name = "quick/VICReg/fixed_uniform/alpha1.25-published-seed1"
    file = "reproduce_configs/sweep_fixed_uniform.(1.25).vicreg.best.yaml"
    settings = yaml.safe_load((grid / file).read_text())
    settings["vicreg"]["base_lr"] = 0.123
    (grid / file).write_text(yaml.safe_dump(settings))
    had, before = content(grid, "train", name), trained(grid)
    done = run(grid, *TAKEOVER)
    assert f"left alone, of other settings or code: {name}\n" in done.stdout
    assert content(grid, "train", name) == had
    taken = trained(grid).keys() - before.keys()
    run(grid, *REPRODUCE)
    (new,) = trained(grid).keys() - before.keys() - taken
    assert content(grid, "train", name)["identity"] == new
