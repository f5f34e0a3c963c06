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

from slow_features.data.batch import TimeMajorBatch
from slow_features.models.registry import MODELS
from slow_features.probe.result import read_result
from slow_features.weights import read_description
from tests.reference.slow_jepa import variance_hinge_by_loops

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/new_model.md"
EXAMPLE = ROOT / "docs/examples/temporal_variance.py"
TINY = [
    "temporalvariance.epochs=2", "temporalvariance.embedding_size=16",
    "temporalvariance.backbone_width_factor=1", "dataset_size=64", "dataset_batch_size=16",
    "val_dataset_size=32", "probing_cfg.sequences=64", "threads=1", "n_steps=5", "val_n_steps=5",
]  # fmt: skip


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("temporal_variance", EXAMPLE)
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
    (models / "temporal_variance.py").write_text(module)
    registry = (models / "registry.py").read_text()
    table = re.search(r"^MODELS: .*?^}\n", registry, re.DOTALL | re.MULTILINE)[0]
    (models / "registry.py").write_text(registry.replace(table, table[:-2] + entry + "}\n"))
    return folder


def train(project, *values):
    """Run the page's command with a few more values, in the copy."""
    (command,) = blocks("sh")
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
    assert "TemporalVariance, fixed_uniform 1.25: RMSE" in done.stdout
    output = project / "runs/temporal"
    assert read_result(output / "probe/result.json").model_type == "TemporalVariance"
    header = (output / "train/curves.csv").read_text().splitlines()[0]
    assert header == "step,epoch,loss,sim,std,cov,time_std"
    settings = read_description(output / "train/model.safetensors")["settings"]
    assert settings["temporalvariance"]["time_std_coeff"] == 10.0


def test_its_setting_is_checked_and_explained_like_any_other(project):
    refused = train(project, "temporalvariance.time_std_coef=1")
    assert refused.returncode == 2
    assert "did you mean temporalvariance.time_std_coeff?" in refused.stderr
    help_text = train(project, "--help").stdout
    assert "weight of the variance hinge over the frames of a sequence" in help_text


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
    assert own.startswith("('TemporalVariance', Method(label='TemporalVariance', colour='#")
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


def test_the_term_is_the_hinge_over_the_frames_of_each_sequence(example):
    section = example.TemporalVarianceSection(backbone_width_factor=1, embedding_size=6)
    model = example.TemporalVariance(section, dots=1)
    embeddings = 0.5 * torch.randn(4, 3, 6, generator=torch.Generator().manual_seed(0))
    still = embeddings[:1].expand(4, 3, 6)  # differs between sequences, never between frames
    for encodings in (embeddings, still):
        batch = TimeMajorBatch(encodings, encodings, encodings)  # which this term does not read
        term = next(t for t in model.terms(batch, encodings, encodings) if t.name == "time_std")
        sequences = [encodings[:, b : b + 1].transpose(0, 1) for b in range(3)]
        expected = sum(variance_hinge_by_loops(sequence) for sequence in sequences) / 3
        assert term.compute().item() == pytest.approx(expected, rel=1e-5)
    assert expected == pytest.approx(0.99)  # constant over time: all but the epsilon of the hinge


def test_the_results_page_names_every_file_of_a_run(trained):
    project, _ = trained
    text = (ROOT / "docs/results.md").read_text()
    for name, kinds in re.findall(r"`\{([\w,]+)\}(\.[\w.]+)`", text):
        text += "".join(f"`{split}{kinds}`" for split in name.split(","))
    files = [*project.glob("runs/*/*/*"), *project.glob(".cache/data/*/*")]
    assert len(files) > 12
    assert [file.name for file in files if f"`{file.name}`" not in text] == []
