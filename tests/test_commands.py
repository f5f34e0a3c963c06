"""`slow-features NAME`, and the package as `pip install .` leaves it, outside of the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slow_features import commands

ROOT = Path(__file__).parents[1]
STAGES = sorted(file.stem for file in (ROOT / "stages").glob("*.py"))


@pytest.fixture
def typed(monkeypatch, capsys):
    """Return what types `slow-features WORDS`, and tells exit code, stdout and stderr."""

    def run(*words: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["/somewhere/bin/slow-features", *words])
        code = 0
        try:
            commands.main()
        except SystemExit as ended:
            code = ended.code
        return code, *capsys.readouterr()

    return run


def test_every_stage_is_a_command():
    assert sorted(commands.COMMANDS) == STAGES


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_without_a_command_all_are_listed(typed, words):
    code, shown, errors = typed(*words)
    assert (code, errors) == (0, "")
    for name, command in commands.COMMANDS.items():
        assert f"  {name:<10} {command.__doc__}" in shown


def test_a_command_gets_the_other_words(typed, monkeypatch, tmp_root):
    seen = []
    monkeypatch.setitem(commands.COMMANDS, "train", lambda: seen.append(list(sys.argv)))
    assert typed("train", "--values", "seed=3")[0] == 0
    assert seen == [["slow-features train", "--values", "seed=3"]]


def test_a_command_runs(typed, tmp_root):
    Path("a.yaml").write_text("seed: 3\n")
    code, shown, errors = typed("train", "--configs", "a.yaml", "--print-config")
    assert (code, errors) == (0, "")
    assert "seed: 3\n" in shown


@pytest.mark.parametrize("name", ["trian", "--values", "main", ""])
def test_a_name_that_is_none_is_refused(typed, name):
    code, shown, errors = typed(name)
    assert (code, shown) == (2, "")
    assert errors.startswith(f"error: slow-features {name}: no such command; allowed: train, ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("name", sorted({*commands.COMMANDS} - {*commands.ANYWHERE}))
def test_what_needs_the_repository_says_so_outside_of_it(typed, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    code, shown, errors = typed(name)
    assert (code, shown) == (2, "")
    assert errors == (
        f"error: slow-features {name}: needs the repository, and this folder has no dvc.yaml, no "
        "grids.yaml, no reproduce_configs; allowed: in the root of a clone of it\n"
    )
    code, shown, errors = typed(name, "--help")
    assert (code, errors) == (0, "")
    assert shown.startswith(f"usage: slow-features {name} ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", commands.ANYWHERE)
def test_what_needs_settings_alone_asks_for_them(typed, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    code, _, errors = typed(name)
    assert code == 2
    assert errors.startswith("error: ") and "params.yaml" in errors and errors.count("\n") == 1


def test_a_stopped_command_says_what_to_type(typed, monkeypatch):
    def stopped():
        raise KeyboardInterrupt

    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setitem(commands.COMMANDS, "train", stopped)
    code, _, errors = typed("train", "--configs", "a (1).yaml")
    assert code == 130
    assert errors == ("stopped by Ctrl-C; to go on: slow-features train --configs 'a (1).yaml'\n")


# --- as pip installs it -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return a folder with the package alone, out of a wheel that was built from this checkout."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-index"]
    source = folder / "source"  # setuptools writes into what it builds
    source.mkdir()
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    wheel = [*pip, "wheel", *options, "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*wheel, str(source)], check=True)
    (built,) = folder.glob("slow_features-*.whl")
    subprocess.run([*pip, "install", *options, "--target", str(folder / "lib"), built], check=True)
    return folder / "lib"


def outside(installed: Path, folder: Path, *line: str) -> subprocess.CompletedProcess:
    """Run Python on the installed package, with this checkout out of reach."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}
    environment |= {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *line]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_the_installed_package_is_a_library(installed, tmp_path):
    program = (
        "import slow_features, sys\n"
        "from slow_features.config.schema import Experiment\n"
        "from slow_features.report.criteria import CRITERIA_FILE\n"
        "assert CRITERIA_FILE.is_file()\n"
        "assert (CRITERIA_FILE.parent / 'templates/base.html').is_file()\n"
        "print(slow_features.__file__, Experiment(seed=3).seed)\n"
    )
    done = outside(installed, tmp_path, "-c", program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(installed / "slow_features/__init__.py"), "3"]


@pytest.mark.slow
def test_the_installed_program_trains_outside_of_the_repository(installed, tmp_path):
    from tests.test_command_line import TINY

    program = str(installed / "bin/slow-features")
    values = ("output_path=mine", "dataset_noise=0.5", *TINY)
    (tmp_path / "a.yaml").write_text("model_type: VICReg\n")
    done = outside(
        installed, tmp_path, program, "train", "--configs", "a.yaml", "--values", *values
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("VICReg, changing_uniform 0.5: RMSE ")
    assert (tmp_path / "mine/probe/result.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("words", [("plan",), ("reproduce", "quick"), ("verify",), ("cell", "x")])
def test_the_installed_program_says_what_needs_the_repository(installed, tmp_path, words):
    done = outside(installed, tmp_path, str(installed / "bin/slow-features"), *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: slow-features {words[0]}: needs the repository")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
