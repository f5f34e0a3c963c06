"""docs/new_model.md, followed to the letter: a seventh model is one module and one entry."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from slow_features.models.jepa import Step
from slow_features.models.registry import MODELS
from slow_features.probe.result import read_result
from slow_features.weights import read_description

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/new_model.md"
EXAMPLE = ROOT / "docs/examples/straightened.py"
TINY = [
    "straightened.epochs=2", "straightened.embedding_size=16",
    "straightened.backbone_width_factor=1", "dataset_size=64", "dataset_batch_size=16",
    "val_dataset_size=32", "probing_cfg.sequences=64", "threads=1", "n_steps=5", "val_n_steps=5",
]  # fmt: skip


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("straightened", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pydantic looks up the annotations
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with the page's module and its entry, and nothing else changed."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    module, entry = blocks("python")
    models = folder / "src/slow_features/models"
    (models / "straightened.py").write_text(module)
    registry = (models / "registry.py").read_text()
    table = re.search(r"^MODELS: .*?^}\n", registry, re.DOTALL | re.MULTILINE)[0]
    (models / "registry.py").write_text(registry.replace(table, table[:-2] + entry + "}\n"))
    return folder


def train(project, *values):
    """Run the page's command with a few more values, in the copy."""
    (command,) = [block for block in blocks("sh") if "stages/train.py" in block]
    _, *rest = shlex.split(command.replace("\\\n", ""))
    environment = {name: value for name, value in os.environ.items() if name != "DVC_ROOT"}
    environment["PYTHONPATH"] = str(project / "src")
    return subprocess.run(
        [sys.executable, *rest, *values],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_the_page_quotes_the_example():
    assert blocks("python")[0] == EXAMPLE.read_text()


@pytest.fixture(scope="module")
def trained(project):
    """The copy after the page's command with tiny sizes, and what the command printed."""
    done = train(project, *TINY)
    assert done.returncode == 0, done.stderr
    return project, done


def test_the_new_model_trains_and_is_probed(trained):
    project, done = trained
    assert "Straightened, fixed_uniform 1.25: RMSE" in done.stdout
    output = project / "runs/straightened"
    assert read_result(output / "probe/result.json").model_type == "Straightened"
    header = (output / "train/curves.csv").read_text().splitlines()[0]
    assert header == "step,epoch,loss,sim,std,cov,straight"
    settings = read_description(output / "train/model.safetensors")["settings"]
    assert settings["straightened"]["straight_coeff"] == 0.5


def test_its_setting_is_checked_and_explained_like_any_other(project):
    refused = train(project, "straightened.straight_coef=1")
    assert refused.returncode == 2
    assert "did you mean straightened.straight_coeff?" in refused.stderr
    help_text = train(project, "--help").stdout
    assert "weight of the curvature of the embeddings' paths in time" in help_text


def test_its_entry_is_all_that_the_reports_need(project):
    """A look of its own, and its own name."""
    code = "from slow_features.report.style import methods; print(*methods().items(), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    *others, own = done.stdout.splitlines()
    assert own.startswith("('Straightened', Method(label='Straightened', colour='#")
    colour, marker = re.search(r"colour='(.+?)', marker='(.)'", own).groups()
    assert len(others) == 6
    assert not any(colour in line or f"marker='{marker}'" in line for line in others)


@pytest.mark.parametrize("folder", ["report", "grid", "tracking", "training", "probe"])
def test_no_code_beside_the_models_knows_one_by_its_name(folder):
    """No text in it, documentation aside, holds a model type's name."""
    name = re.compile(rf"\b({'|'.join(MODELS)})\b")
    for file in (ROOT / "src/slow_features" / folder).glob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text())))
        said = {node.value for node in nodes if isinstance(node, ast.Constant)}
        said -= {
            node.value.value
            for node in nodes
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        assert [text for text in said if isinstance(text, str) and name.search(text)] == [], file


def test_the_term_is_the_mean_angle_between_changes(example):
    encodings = torch.randn(5, 3, 6, generator=torch.Generator().manual_seed(0))
    section = example.StraightenedSection(backbone_width_factor=1, embedding_size=6)
    step = Step(encodings, encodings[1:], torch.zeros(4, 3, 2), torch.Generator())
    terms = example.Straightened(section, dots=1).terms(step)
    term = next(t for t in terms if t.name == "straight")
    bends = []
    for b in range(3):
        for t in range(3):
            v = encodings[t + 1, b] - encodings[t, b]
            w = encodings[t + 2, b] - encodings[t + 1, b]
            bends.append(1 - float(v @ w / (v.norm() * w.norm())))
    assert term.compute().item() == pytest.approx(sum(bends) / len(bends), rel=1e-5)
    line = torch.arange(5.0)[:, None, None].expand(5, 3, 6)
    assert example.curvature(line).item() == pytest.approx(0, abs=1e-6)


def test_the_results_page_names_every_file_of_a_run(trained):
    project, _ = trained
    text = (ROOT / "docs/results.md").read_text()
    for name, kinds in re.findall(r"`\{([\w,]+)\}(\.[\w.]+)`", text):
        text += "".join(f"`{split}{kinds}`" for split in name.split(","))
    files = [*project.glob("runs/*/*/*"), *project.glob(".cache/data/*/*")]
    assert len(files) > 12
    assert [file.name for file in files if f"`{file.name}`" not in text] == []
