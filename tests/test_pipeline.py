"""The DVC pipeline for real, with tiny settings, in a clone and in fresh clones of that one."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
COPIED = (
    ".dvcignore", ".gitignore", "dvc.yaml", "grids.yaml", "params.yaml",
    "reproduce_configs", "src", "stages", ".dvc/config",
)  # fmt: skip
RSSM = ("dvc", "exp", "run", "-S", "model_type=RSSM")
EXPERIMENT = [f"experiment-{step}" for step in ("data", "train", "probe", "report")]
REPRODUCE = (sys.executable, "stages/reproduce.py")
UP_TO_DATE = "Data and pipelines are up to date"
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def clone(made_once):
    """A clone in which everything has run, its results committed: the experiment's at first."""

    def make(folder):
        shutil.copytree(made_once("experiment", make_experiment), folder, symlinks=True)
        run(folder, *REPRODUCE)
        assert UP_TO_DATE in run(folder, "dvc", "status").stdout
        commit(folder, "results of the grid")

    return made_once("clone", make)


@pytest.fixture
def fresh(clone, tmp_path):
    """What somebody else gets: git's files alone, an empty store, an empty cache."""
    folder = tmp_path / "fresh"
    git(tmp_path, "clone", "-q", str(clone), str(folder))
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
    (folder / "results/search").mkdir(parents=True)
    (folder / "results/search/none.txt").write_text("No study has run.\n")
    git(folder, "init", "-q")
    commit(folder, "start")
    return folder


def make_experiment(folder):
    """Make a clone in which the experiment alone has run, its result committed."""
    make_clone(folder)
    run(folder, "dvc", "repro", "experiment-probe")
    commit(folder, "first result")


def shrink_params(file):
    text = file.read_text()
    for old, new in {
        "dataset_size: 10000": "dataset_size: 64",
        "dataset_batch_size: 64": "dataset_batch_size: 16",
        "sequences: 10000": "sequences: 64",
        "epochs: 2\n": "epochs: 1\n",
        "embedding_size: 512": "embedding_size: 16",
        "backbone_width_factor: 2": "backbone_width_factor: 1",
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
    sizes = {"embedding_size": 16, "backbone_width_factor": 1}
    training = {"epochs": 1, "batch_at_most": 16}
    grids["quick"]["budgets"] = {"VICReg": sizes | training, "Random": sizes}
    grids["quick"]["variants"] = {"control": grids["quick"]["variants"]["control"]}
    grids["quick"]["variants"]["control"]["models"] = ["VICReg"]
    file.write_text(yaml.safe_dump(grids))


def git(folder, *arguments):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def commit(folder, message):
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)


def changed(folder):
    """Return the files that git would commit."""
    lines = git(folder, "status", "--porcelain", "-uall").splitlines()
    return {line[3:] for line in lines}


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
    return json.loads((folder / "results/probe/experiment/metrics.json").read_text())


def trained(folder):
    """Return the settings of every training in the store of cells, by its name."""
    files = folder.glob(".cells/*/train/train.json")
    return {file.parts[-3]: json.loads(file.read_text())["settings"] for file in files}


def ran(done):
    """Return the stages that a command of DVC's has run."""
    lines = done.stdout.splitlines()
    return [line.split("'")[1] for line in lines if line.startswith("Running stage '")]


def test_everything_is_there_and_recorded(clone):
    """Small files of every cell in git, pages beside them; nothing that is large or varies."""
    for page in ("experiment", "quick"):
        assert (clone / "reports" / page / "index.html").stat().st_size > 10_000
    cells = list(clone.glob("results/probe/quick/*/*/*/result.json"))
    assert len(cells) == len(list(clone.glob("results/runs/quick/*/*/*.json"))) == 5
    tracked = git(clone, "ls-files", "results", "data").splitlines()
    assert not [name for name in tracked if name.endswith((".safetensors", ".npy", "run.json"))]
    sizes = [(clone / name).stat().st_size for name in tracked if "/quick/" in name]
    assert sum(sizes) / 5 < 100_000
    hashed = (clone / "dvc.lock").read_text().partition("report@quick")[0]
    assert "results/runs/experiment.json" in hashed, "the page depends on it"
    stage_names = run(clone, "dvc", "stage", "list", "--name-only").stdout.split()
    assert {"code", "train@quick-VICReg", "probe@quick-Random", "verify@quick"} <= {*stage_names}


def test_a_fresh_clone_is_up_to_date(fresh):
    """DVC has nothing to say and nothing to run, and its commands show what is in git."""
    assert UP_TO_DATE in run(fresh, "dvc", "status").stdout
    start = time.monotonic()
    assert ran(run(fresh, "dvc", "repro")) == []
    seconds = time.monotonic() - start
    assert seconds < 15
    assert "rmse_px" in run(fresh, "dvc", "metrics", "show").stdout
    assert "rmse_px" in run(fresh, "dvc", "metrics", "diff", "HEAD~2").stdout
    run(fresh, "dvc", "params", "diff")
    assert "rmse_px" in run(fresh, "dvc", "exp", "show", "--only-changed", "--json").stdout
    page = run(fresh, "dvc", "plots", "show").stdout.strip()
    assert "rmse_by_step" in Path(page.removeprefix("file://")).read_text()
    assert changed(fresh) <= {"dvc_plots/index.html"}
    assert not trained(fresh)


def test_what_would_run_is_answered_on_a_fresh_clone(fresh):
    assert ran(run(fresh, "dvc", "repro", "--dry")) == []
    dry = ran(run(fresh, *RSSM, "--dry"))
    assert "experiment-train" in dry
    assert not [name for name in dry if "@" in name]


def test_a_page_is_a_function_of_what_is_in_git(fresh):
    run(fresh, "dvc", "repro", "--force", "--single-item", "report@quick")
    run(fresh, "dvc", "repro", "--force", "--single-item", "experiment-report")
    assert changed(fresh) == set()


@pytest.mark.parametrize(
    "setting", ["model_type=RSSM", pytest.param("seed=2", marks=pytest.mark.slow)]
)
def test_an_experiment_on_a_fresh_clone_runs_alone(setting, fresh):
    """Literally `dvc exp run -S ...`: the experiment and its report, no cell of the grid."""
    before = metrics(fresh)
    done = run(fresh, "dvc", "exp", "run", "-S", setting)
    assert ran(done) == EXPERIMENT
    assert len(trained(fresh)) == 1
    assert metrics(fresh) != before
    table = json.loads(run(fresh, "dvc", "exp", "show", "--json").stdout)
    assert setting.partition("=")[2] in json.dumps(table)


def test_a_probe_alone_keeps_the_training_in_git(fresh):
    """Its weights are not there, so they are made again; the recorded training does not change."""
    done = run(fresh, "dvc", "exp", "run", "-S", "probing_cfg.sequences=48")
    assert set(ran(done)) <= {*EXPERIMENT}, "no cell of the grid"
    assert "experiment-probe" in ran(done)
    assert len(trained(fresh)) == 1
    assert not [name for name in changed(fresh) if name.startswith("results/train/")]


def test_a_part_of_the_grid_that_is_not_there_is_named(clone):
    done = run(clone, *REPRODUCE, "quick/VICRag", check=False)
    assert done.returncode == 2
    assert done.stderr == "error: 'quick/VICRag': no model type 'VICRag'; nearest: VICReg, Random\n"


def test_a_wrong_value_is_refused_with_the_way_back(fresh):
    """One line of ours; its advice works, although DVC keeps the size of params.yaml."""
    before = (fresh / "params.yaml").read_bytes()
    done = run(fresh, "dvc", "exp", "run", "-S", "model_type=FOO", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "model_type = 'FOO': allowed: one of VICReg" in text
    assert "Traceback" not in text
    assert changed(fresh) <= {"params.yaml"}
    advice = text.split("in params.yaml: ")[1].splitlines()[0]
    subprocess.run(advice, shell=True, cwd=fresh, check=True)
    assert (fresh / "params.yaml").read_bytes() == before
    assert changed(fresh) == set()


def test_reproduce_on_another_machine_finds_the_same(fresh):
    """It computes all cells again, though DVC is up to date, and changes no result in git.

    A part of the scale by its name at first, of which the rest stays as git has it.
    """
    assert run(fresh, sys.executable, "stages/verify.py", check=False).returncode == 1
    run(fresh, *REPRODUCE, "quick/*/fixed_uniform")
    assert {one["dataset_static_noise"] for one in trained(fresh).values()} == {1.25}
    assert len(trained(fresh)) == 3
    run(fresh, *REPRODUCE)
    assert len(trained(fresh)) == 6, "five cells and the experiment"
    results = {name for name in changed(fresh) if name.startswith(("results/", "data/"))}
    assert results == {"results/verified/quick.json"}, "recomputed here: 5 of 5"
    done = run(fresh, sys.executable, "stages/verify.py")
    assert "5 of 5 cells agree, and so does every verdict" in done.stdout
    assert "5 of 5 cells agree" in (fresh / "reports/quick/report.md").read_text()
    assert UP_TO_DATE in run(fresh, "dvc", "status").stdout
    forged = fresh / "results/probe/quick/VICReg/fixed_uniform/alpha1.25-control-seed1/result.json"
    forged.write_text(forged.read_text().replace('"rmse_px": ', '"rmse_px": 1', 1))
    done = run(fresh, sys.executable, "stages/verify.py", check=False)
    assert done.returncode == 1
    assert "no: result.json" in done.stdout
    assert "4 of 5 cells agree" in done.stdout


def test_a_changed_cell_and_a_new_level_alone_are_trained(fresh):
    """What git has of their neighbours is kept, although the store is empty and the stages run."""
    page = (fresh / "reports/quick/index.html").read_text()
    file = fresh / "reproduce_configs/sweep_fixed_uniform.(1.25).vicreg.best.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["vicreg"]["base_lr"] = 0.123
    file.write_text(yaml.safe_dump(settings))
    grids = yaml.safe_load((fresh / "grids.yaml").read_text())
    grids["quick"]["levels"]["changing_uniform"].append("0.5")
    (fresh / "grids.yaml").write_text(yaml.safe_dump(grids))
    run(fresh, "dvc", "repro")
    key = ("model_type", "dataset_noise", "dataset_static_noise")
    found = {tuple(one[name] for name in key): one for one in trained(fresh).values()}
    changed_cell = found.pop(("VICReg", 0.0, 1.25))
    assert found.keys() == {("Random", 0.5, 0.0), ("VICReg", 0.5, 0.0)}
    rate = 0.123 * settings["dataset_batch_size"] / 16
    assert changed_cell["vicreg"]["base_lr"] == pytest.approx(rate)
    assert (fresh / "reports/quick/index.html").read_text() != page
    assert "alpha0.5-published" in (fresh / "reports/quick/report.md").read_text()
    again = git(fresh, "diff", "--name-only", "--", "results/train", "results/probe").splitlines()
    assert [name for name in again if name.startswith("results/probe")]
    assert all("alpha1.25-published" in name for name in again)
    assert UP_TO_DATE in run(fresh, "dvc", "status").stdout


def test_a_comment_runs_nothing_but_the_fingerprints(fresh):
    """In every file of the package; a constant in one loss then runs the stages of one model."""
    for file in (fresh / "src").rglob("*.py"):
        file.write_text(file.read_text() + "\n# A remark.\n")
    assert ran(run(fresh, "dvc", "repro")) == ["code"]
    assert changed(fresh) - {name for name in changed(fresh) if name.startswith("src/")} == {
        "dvc.lock"
    }
    loss = fresh / "src/slow_features/losses/vicreg.py"
    loss.write_text(loss.read_text() + "\nANOTHER = 1\n")
    dry = set(ran(run(fresh, "dvc", "repro", "--dry"))) | {"code"}
    run(fresh, "dvc", "repro", "code")
    dry = set(ran(run(fresh, "dvc", "repro", "--dry", "--allow-missing")))
    assert {"train@quick-VICReg", "experiment-train"} <= dry
    assert "train@quick-Random" not in dry


@pytest.mark.slow
def test_a_queued_experiment_runs_the_code_it_was_queued_with(fresh):
    """A line that is added to the checkout afterwards is not what runs."""
    run(fresh, "dvc", "exp", "run", "--queue", "-S", "seed=3", "experiment-probe")
    broken = fresh / "src/slow_features/training/loop.py"
    broken.write_text(broken.read_text() + "\nraise RuntimeError('the checkout was imported')\n")
    run(fresh, "dvc", "queue", "start")
    end, status = time.monotonic() + 300, "Queued"
    while "Queued" in status or "Running" in status:
        assert time.monotonic() < end, status
        time.sleep(2)
        status = run(fresh, "dvc", "queue", "status").stdout
    run(fresh, "dvc", "queue", "stop")
    assert "Success" in status, status


def test_the_lock_names_no_stage_that_the_pipeline_has_lost():
    """DVC keeps them for ever, and parses all of them at each command."""
    read = yaml.CSafeLoader
    stages = yaml.load((ROOT / "dvc.yaml").read_bytes(), read)["stages"]
    models = yaml.load((ROOT / "grids.yaml").read_bytes(), read)["models"]
    for name in yaml.load((ROOT / "dvc.lock").read_bytes(), read)["stages"]:
        stage, _, of = name.partition("@")
        scale, _, model = of.partition("-")
        assert stage in stages, name
        matrix = stages[stage].get("matrix", {})
        assert bool(scale) == ("scale" in matrix), name
        assert model in (models if "model" in matrix else [""]), name
