"""The command as the paper's code has it, without the environment, and with broken streams."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slow_features.config import cli
from slow_features.config.schema import WANDB_EXTRA
from slow_features.errors import MachineError

ROOT = Path(__file__).parents[1]
SCRIPTS = [ROOT / "train.py", *sorted((ROOT / "stages").glob("*.py"))]
PUBLISHED = "reproduce_configs/sweep_changing_uniform.(1.5).vicreg.best.yaml"
TINY = (
    "vicreg.epochs=1", "dataset_size=32", "dataset_batch_size=16", "val_dataset_size=48",
    "probing_cfg.sequences=64", "threads=1", "n_steps=4", "val_n_steps=4",
    "vicreg.embedding_size=8", "vicreg.backbone_width_factor=1",
)  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    """Return the environment without what leads to this checkout's code."""
    own = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith("DVC_")}
    return own | {"OMP_NUM_THREADS": "1"} | more


@pytest.fixture
def checkout(tmp_path):
    """Return a copy of what a training needs, to be run from its root."""
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "reproduce_configs").mkdir()
    for name in ("train.py", "dvc.yaml", "params.yaml", PUBLISHED):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def python(folder: Path, *line: str, **options) -> subprocess.CompletedProcess:
    """Run python in a folder."""
    return subprocess.run(
        [sys.executable, *line], cwd=folder, capture_output=True, text=True,
        **{"env": environment(), **options},
    )  # fmt: skip


def test_the_command_of_the_paper_s_code(checkout):
    """From the root, with later files and values that win, as their README has it."""
    (checkout / "more.yaml").write_text("seed: 3\nvicreg: {base_lr: 7, sim_coeff: 2}\n")
    values = ("wandb=True", "output_path=runs/a", "model_type=VICReg", "vicreg.base_lr=42")
    line = ("train.py", "--configs", PUBLISHED, "more.yaml", "--values", *values, "--print-config")
    ended = python(checkout, *line)
    assert ended.returncode == 0, ended.stderr
    for text in ("seed: 3", "base_lr: 42.0", "sim_coeff: 2.0", "wandb: true", "dataset_noise: 1.5"):
        assert text in ended.stdout
    assert ended.stderr == ""


def test_make_lets_python_keep_what_it_compiles():
    """Else every command under it would compile torch again, wherever a container forbids files."""
    rule = 'asked:\n\t@echo "$$PATH, $$PYTHONDONTWRITEBYTECODE."\n'
    done = subprocess.run(
        ["make", "--silent", "-f", "Makefile", "-f", "-", "asked"], cwd=ROOT, input=rule,
        env=environment(PYTHONDONTWRITEBYTECODE="1"), capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.startswith(f"{ROOT}/.venv/bin:"), done.stderr
    assert done.stdout.endswith(", .\n")


def test_files_that_are_named_one_by_one_count_all(checkout):
    (checkout / "more.yaml").write_text("seed: 3\n")
    line = ("train.py", "--configs", PUBLISHED, "--configs", "more.yaml", "--print-config")
    printed = python(checkout, *line).stdout
    assert "dataset_noise: 1.5" in printed and "seed: 3" in printed


def test_a_copy_of_the_checkout_runs_its_own_code(checkout):
    """Wherever the installed package lies: a queued experiment runs in such a copy."""
    file = checkout / "src/slow_features/config/schema.py"
    file.write_text(file.read_text().replace('OUTPUT_PATH = "', 'OUTPUT_PATH = "mine-'))
    for script in ("train.py", "stages/train.py"):
        assert "output_path: mine-" in python(checkout, script, "--print-config").stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_without_the_environment_one_line_says_how_to_make_it(script, tmp_path):
    ended = python(tmp_path, "-I", "-S", str(script))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(
        "error: the package pydantic is not installed here; `make setup`"
    )
    assert ended.stderr.count("\n") == 1


def test_pictures_do_not_depend_on_the_users_matplotlib(tmp_path):
    """A notebook's backend, which its commands inherit, need not be installed here."""
    (tmp_path / "matplotlibrc").write_text("figure.facecolor: red")
    main = (
        "from slow_features.errors import exit_with_message\n"
        "def main():\n"
        "    import matplotlib\n"
        "    print(matplotlib.get_backend(), matplotlib.rcParams['figure.facecolor'])\n"
        "exit_with_message(main)"
    )
    theirs = {
        "MPLBACKEND": "module://matplotlib_nowhere",
        "MATPLOTLIBRC": str(tmp_path / "matplotlibrc"),
    }
    done = subprocess.run(
        [sys.executable, "-c", main], env=os.environ | theirs, capture_output=True, text=True
    )
    assert done.stdout.split() == ["agg", "white"], done.stderr


def test_a_missing_module_of_ours_keeps_its_traceback():
    from slow_features.errors import exit_with_message

    def fail():
        raise ModuleNotFoundError(name="slow_features.models.none")

    with pytest.raises(ModuleNotFoundError):
        exit_with_message(fail)


def test_help_says_how_to_quote_a_name_with_parentheses(capsys):
    for option in ("--help", "--help-settings=noise"):
        with pytest.raises(SystemExit) as ended:
            cli.parser("").parse_args([option])
        assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"--configs '{PUBLISHED}'" in shown
    assert shown.count("  dataset_static_noise_speed = 0.0\n") == 2


# --- wandb, which each published file asks for ------------------------------------------------


def configuration(*line: str):
    """Return the settings of a command line."""
    return cli.configuration(cli.parser("").parse_args(line))


@pytest.fixture
def without_wandb(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)


@pytest.fixture
def file(tmp_path):
    """Return a file that asks for wandb."""
    file = tmp_path / "published.yaml"
    file.write_text("wandb: true\n")
    return str(file)


def test_a_file_that_asks_for_wandb_runs_without_it(without_wandb, file, capsys):
    assert configuration("--configs", file).wandb is False
    (line,) = capsys.readouterr().err.splitlines()
    assert file in line and "MLflow" in line and WANDB_EXTRA in line


def test_a_command_that_asks_for_wandb_needs_it(without_wandb, file):
    with pytest.raises(MachineError, match=r'wandb=True.*pip install -e "\.\[wandb\]"'):
        configuration("--configs", file, "--values", "wandb=True")


def test_a_command_can_do_without(without_wandb, file, capsys):
    assert configuration("--configs", file, "--values", "wandb=False").wandb is False
    assert capsys.readouterr().err == ""


def test_with_the_package_nothing_is_said(monkeypatch, file, capsys):
    monkeypatch.setattr(cli, "find_spec", lambda _name: type("Spec", (), {"origin": "here"}))
    assert configuration("--configs", file).wandb is True
    assert configuration("--configs", file, "--values", "wandb=True").wandb is True
    assert capsys.readouterr().err == ""


def test_a_folder_of_that_name_is_not_the_package(monkeypatch, tmp_path, file, capsys):
    """Weights & Biases itself leaves a folder wandb/ where it has worked."""
    if cli.find_spec("wandb"):
        pytest.skip("the package is installed")
    (tmp_path / "wandb").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert cli.find_spec("wandb") is not None
    assert configuration("--configs", file).wandb is False


# --- streams that are closed or full ----------------------------------------------------------


def shell(folder: Path, redirection: str, *line: str) -> subprocess.CompletedProcess:
    """Run python in a folder with a redirection of the shell."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, *line]
    return subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "redirection",
    [
        pytest.param("", marks=pytest.mark.slow),
        pytest.param("2>&-", marks=pytest.mark.slow),
        "2>/dev/full",
        ">&- 2>&- <&-",
    ],
)
def test_a_training_ends_well_whatever_becomes_of_its_streams(redirection, checkout):
    ended = shell(
        checkout, redirection, "train.py", "--configs", PUBLISHED, "--values", *TINY,
        "output_path=a", "eval_mpcs=3",
    )  # fmt: skip
    assert ended.returncode == 0
    assert ended.stdout.startswith("VICReg, changing_uniform 1.5: RMSE ") or ">&- 2" in redirection
    result = json.loads((checkout / "a/probe/result.json").read_text())
    assert result["model_type"] == "VICReg"
    assert (checkout / "mlflow.db").exists()


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_a_refusal_keeps_its_exit_code_whatever_becomes_of_stderr(redirection, checkout):
    assert shell(checkout, redirection, "train.py", "--values", "seed=x").returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_name_that_the_terminal_cannot_show(encoding, checkout):
    name = "Zażółć 蛙"
    options = {"env": environment(PYTHONIOENCODING=encoding), "encoding": encoding}
    line = ("train.py", "--values", f"run_name={name}", "--print-config")
    ended = python(checkout, *line, **options)
    assert ended.returncode == 0, ended.stderr
    file = checkout / "printed.yaml"
    file.write_text(ended.stdout)
    (checkout / "again").mkdir()
    again = python(checkout, "train.py", "--configs", "printed.yaml", "--print-config")
    assert f"run_name: {name}" in again.stdout
    refused = python(checkout, "train.py", "--values", f"seed={name}", **options)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "Traceback" not in refused.stderr
