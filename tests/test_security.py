"""What a user writes is never run: as Python, as a shell line, as a script in a page."""

from __future__ import annotations

import re
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from slow_features.report.experiment import write_experiment_report
from tests.dangerous_code import dangers
from tests.test_pipeline import make_clone, run
from tests.test_report_experiment import run as run_experiment
from tests.test_report_experiment import settings as report_settings

ROOT = Path(__file__).parents[1]
SOURCES = [
    file
    for part in ("src/**", "stages/**", "benchmarks/**", "")
    for file in ROOT.glob(f"{part}/*.py".removeprefix("/"))
]
BROWSER = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--dump-dom",
)  # fmt: skip

DANGEROUS = [
    "import pickle", "import pickle as p", "from pickle import loads", "import cPickle",
    "import marshal", "import shelve", "import dill", "import joblib", "from joblib import load",
    "import importlib; importlib.import_module('pickle')", "__import__('marshal')",
    "import torch; torch.load('x')", "import torch as t; t.save(1, 'x')",
    "from torch import load; load('x')",
    "import numpy as np; np.load('x', allow_pickle=True)",
    "import numpy as np; np.load('x', allow_pickle=flag)",
    "import yaml; yaml.load('x')", "import yaml; yaml.load('x', yaml.Loader)",
    "import yaml; yaml.load('x', Loader=yaml.FullLoader)",
    "import yaml\nclass L(yaml.Loader): pass\nyaml.load('x', L)",
    "import yaml; yaml.unsafe_load('x')", "import yaml as y; y.full_load('x')",
    "from yaml import unsafe_load", "import subprocess; subprocess.run('x', shell=True)",
    "from subprocess import Popen; Popen('x', shell=1)", "eval('x')", "exec('x')",
    "import builtins; builtins.eval('x')", "import os; os.system('x')",
    "from os import system", "import os as o; o.popen('x')",
    "import pandas as pd; pd.read_pickle('x')",
]  # fmt: skip
HARMLESS = [
    "model.eval()", "import yaml; yaml.safe_load('x')",
    "import yaml; yaml.load('x', yaml.SafeLoader)",
    "import yaml\nclass L(yaml.SafeLoader): pass\nyaml.load('x', L)",
    "import numpy as np; np.load('x', allow_pickle=False)", "import numpy as np; np.load('x')",
    "import json; json.load(f)", "import subprocess; subprocess.run(['x'], shell=False)",
    "from importlib import import_module; import_module(name)", "from torch.nn import Linear",
]  # fmt: skip


@pytest.mark.parametrize("source", DANGEROUS)
def test_the_check_finds(source):
    assert dangers(source)


@pytest.mark.parametrize("source", HARMLESS)
def test_the_check_lets_pass(source):
    assert not dangers(source)


def test_no_source_runs_what_it_reads():
    found = [f"{file}:{danger}" for file in SOURCES for danger in dangers(file.read_text())]
    assert not found
    assert len(SOURCES) > 100


# --- no setting becomes part of a shell line --------------------------------------------------


def test_commands_of_the_pipeline_have_no_templates():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    commands = {name: stage["cmd"] for name, stage in stages.items()}
    assert len(commands) >= 9
    for name, command in commands.items():
        assert "${" not in str(command), name
        variables = set(re.findall(r"\$\w+", str(command)))
        assert variables <= {"$DVC_STAGE"}, name
        assert '"$DVC_STAGE"' in command or not variables, name


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return make_clone(tmp_path_factory.mktemp("hostile") / "clone")


def with_setting(clone: Path, folder: Path, key: str, value: str) -> Path:
    """Copy the clone with one line of params.yaml changed; a scale is there, whatever its name."""
    shutil.copytree(clone, folder, symlinks=True)
    file = folder / "params.yaml"
    text, changed = re.subn(rf"(?m)^{key}: .*$", lambda _: f"{key}: {value}", file.read_text())
    assert changed == 1
    file.write_text(text)
    if key == "scale":
        grids = yaml.safe_load((folder / "grids.yaml").read_text())
        grids[yaml.safe_load(value)] = deepcopy(grids["quick"])
        (folder / "grids.yaml").write_text(yaml.safe_dump(grids))
    return folder


@pytest.mark.parametrize("value", ['"quick; touch pwned"', '"quick$(touch pwned)\'`touch pwned`"'])
@pytest.mark.parametrize(("key", "target"), [("scale", "data"), ("model_type", "experiment-data")])
def test_a_setting_with_a_command_is_refused(key, target, value, clone, tmp_path):
    """It reaches the stage as it is; our schema names it and what is allowed."""
    folder = with_setting(clone, tmp_path / "clone", key, value)
    done = run(folder, "dvc", "repro", target, check=False)
    assert done.returncode != 0
    assert re.search(r"(?m)^error: .*touch pwned.*allowed: ", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*pwned*"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_name_with_a_command_is_a_name(clone, tmp_path):
    name = "x'; touch pwned; $(touch pwned) `touch pwned` | touch pwned"
    folder = with_setting(clone, tmp_path / "clone", "run_name", f'"{name}"')
    run(folder, "dvc", "repro", "experiment-report")
    shown = (folder / "reports/experiment/index.html").read_text()
    assert "$(touch pwned)" in shown
    assert not list(tmp_path.rglob("*pwned*"))


def test_the_ui_of_mlflow_is_for_this_machine_alone():
    lines = [line for line in (ROOT / "Makefile").read_text().splitlines() if "mlflow " in line]
    served = [line for line in lines if re.search(r"\bmlflow (ui|server)\b", line)]
    assert len(served) == 1
    assert "--host 127.0.0.1" in served[0]


# --- a name in a report is text, also to a browser --------------------------------------------

SCRIPT = "<script>document.title='x'</script>"


def title(page: Path, folder: Path) -> str:
    """Return the title of a page after a browser has run what is in it."""
    command = [*BROWSER, f"--user-data-dir={folder}", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return re.search(r"(?s)<title>(.*?)</title>", shown.stdout)[1]


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_a_browser_does_not_run_a_name(tmp_path):
    names = {"run_name": f"{SCRIPT}<img src=x onerror=\"document.title='x'\">"}
    config = report_settings(**names)
    _, place = run_experiment(config, tmp_path)
    write_experiment_report(config, place, tmp_path / "report")
    page = tmp_path / "report/index.html"
    assert title(page, tmp_path / "browser").startswith("&lt;script&gt;")
    control = tmp_path / "control.html"
    control.write_text(page.read_text().replace("</body>", f"{SCRIPT}</body>"))
    assert title(control, tmp_path / "browser") == "x"  # so the browser does run scripts
