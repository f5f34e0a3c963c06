"""A result says which code, packages, machine and DVC experiment it comes from."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from slow_features.provenance import git_revision, provenance


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_root):
    for folder in ("src", "stages"):
        Path(folder).mkdir()
        Path(folder, "code.py").write_text("1")
    Path("params.yaml").write_text("seed: 1")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    return tmp_root


def test_revision_of_a_clean_checkout(repository):
    assert git_revision() == git("rev-parse", "HEAD")


@pytest.mark.parametrize("path", ["src/code.py", "stages/code.py", "src/not_added.py"])
def test_changed_code_is_dirty_from_any_folder(repository, monkeypatch, path):
    Path(path).write_text("2")
    monkeypatch.chdir("stages")
    assert git_revision() == git("rev-parse", "HEAD") + "-dirty"


def test_what_dvc_rewrites_is_not_dirty(repository):
    Path("params.yaml").write_text("seed: 2")
    Path("dvc.lock").write_text("x")
    assert git_revision() == git("rev-parse", "HEAD")


def test_without_git_there_is_no_revision(tmp_root, monkeypatch):
    assert git_revision() is None
    monkeypatch.setenv("PATH", "")
    assert git_revision() is None


def test_the_revision_of_a_repository_around_the_project_is_not_its_own(repository, monkeypatch):
    inner = repository / "unpacked"
    (inner / "src").mkdir(parents=True)
    (inner / "dvc.yaml").touch()
    monkeypatch.chdir(inner / "src")
    assert git("rev-parse", "HEAD")
    assert git_revision() is None


def test_says_what_dvc_says(tmp_root, monkeypatch):
    assert provenance().dvc_experiment is None
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setenv("DVC_EXP_NAME", "humid-hops")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "abc")
    here = provenance()
    assert (here.dvc_stage, here.dvc_experiment, here.dvc_baseline) == (
        "train",
        "humid-hops",
        "abc",
    )


def test_is_plain_json_and_the_same_twice(tmp_root):
    record = provenance().as_dict()
    assert json.loads(json.dumps(record)) == record == provenance().as_dict()
    assert record["packages"]["mlflow"] == metadata.version("mlflow")
    assert record["machine"]["cores"] >= 1


def test_a_missing_package_has_no_version(tmp_root, monkeypatch):
    monkeypatch.setattr("slow_features.provenance.PACKAGES", ("not-a-package",))
    assert provenance().packages["not-a-package"] is None


def test_imports_none_of_the_packages():
    code = (
        "import sys; from slow_features.provenance import provenance; provenance(); "
        "print({'torch', 'mlflow', 'numpy', 'dvc'} & set(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout.strip() == "set()"
