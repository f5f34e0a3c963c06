"""A result is renamed by what decides its numbers, and by nothing else.

Code is changed in a copy of the package, and asked there by a process of its own.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slow_features import identity
from slow_features.identity import (
    EVALUATION,
    TRAINING,
    evaluation_identity,
    files_of,
    other_settings,
    settings_of_weights,
    training_identity,
)
from slow_features.models.registry import MODELS
from tests import cifar_files
from tests.cifar_files import content_of, write_cifar
from tests.tiny import small_config

PACKAGE = Path("src/slow_features").resolve()


# --- code -------------------------------------------------------------------------------------

ASK = """
import json, sys
from pathlib import Path
from slow_features.config.load import load_config
from slow_features.identity import evaluation_identity, training_identity, write_fingerprints
from slow_features.models.registry import MODELS
write_fingerprints(Path("code"))
found = {str(f.relative_to("code").with_suffix("")): json.loads(f.read_text())["fingerprint"]
         for f in Path("code").rglob("*.json")}
for model in MODELS:
    config = load_config([], [f"model_type={model}"]).config
    found[f"training {model}"] = training_identity(config)
    found[f"evaluation {model}"] = evaluation_identity(config)
print(json.dumps(found))
"""


class Copy:
    """A copy of the package, to be changed and asked for its names."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.package = folder, folder / "src/slow_features"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))

    def names(self) -> dict[str, str]:
        """Return every identity and every fingerprint that DVC sees."""
        environment = os.environ | {"PYTHONPATH": str(self.folder / "src")}
        done = subprocess.run(
            [sys.executable, "-c", ASK], cwd=self.folder, env=environment, capture_output=True,
            text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def change(self, file: str, pattern: str, new: str) -> None:
        """Replace the one match of a pattern in a file."""
        path = self.package / file
        text, count = re.subn(pattern, new, path.read_text(), flags=re.MULTILINE)
        assert count == 1, (file, pattern, count)
        path.write_text(text)


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The names in a copy in which nothing was changed."""
    return Copy(tmp_path_factory.mktemp("copy")).names()


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def renamed(copy: Copy, before: dict[str, str]) -> set[str]:
    """Return what has another name than before; what is new counts not."""
    now = copy.names()
    return {name for name in before if now[name] != before[name]}


def of(models, *steps: str) -> set[str]:
    """Return the names of trainings, with their evaluations, of some model types."""
    kinds = {"train": "training", "probe": "evaluation"}
    return {name for s in steps for m in models for name in (f"{s}/{m}", f"{kinds[s]} {m}")}


# What decides no number: a docstring, the message of an error, a progress bar, what is printed.
HARMLESS = [
    ("losses/vicreg.py", "Punish features that vary together", "Dislike features that do so"),
    ("training/curve.py", "is not finite|loss is", "went wrong"),
    ("training/progress.py", "mininterval=0.2", "mininterval=0.5"),
    ("training/train.py", "going on from step", "resuming at step"),
]


def test_what_decides_no_number_changes_nothing(copy, before):
    for file in copy.package.rglob("*.py"):
        file.write_text(f"{file.read_text()}\n# a remark\n")
    for file, pattern, new in HARMLESS:
        path = copy.package / file
        assert re.search(pattern, path.read_text()), file
        path.write_text(re.sub(pattern, new, path.read_text()))
    assert renamed(copy, before) == set()


def test_a_new_model_renames_none_of_the_others(copy, before):
    shutil.copy(copy.package / "models/vicreg.py", copy.package / "models/mine.py")
    copy.change(
        "models/registry.py", "^MODELS: .*$",
        r'\g<0>\n    "Mine": ModelEntry("slow_features.models.mine:VICReg", '
        "sections.VICRegSection),",
    )  # fmt: skip
    names = copy.names()
    assert names.keys() - before.keys() == of(["Mine"], "train", "probe")
    assert {n for n in before if names[n] != before[n]} <= {"report", "track"}


@pytest.mark.parametrize(
    ("file", "pattern", "new", "models"),
    [
        ("losses/vicreg.py", "^TARGET_STD = 1.0", "TARGET_STD = 2.0", ["VICReg"]),
        ("config/sections.py", "^FREE_NATS = 3.0", "FREE_NATS = 2.0", ["RSSM"]),
        ("models/gaussian.py", r"\Z", "\nEXTRA = 1\n", ["RSSM"]),
        ("losses/simclr.py", r"\Z", "\nEXTRA = 1\n", ["SimCLR"]),
        ("training/loop.py", "^CURVE_ROWS = 400", "CURVE_ROWS = 300", list(MODELS)),
        ("data/frames.py", r"\Z", "\nEXTRA = 1\n", list(MODELS)),
        ("models/registry.py", "trains_on_probe_images=True, *", "", ["Supervised"]),
    ],
    ids=lambda value: value if isinstance(value, str) and value.endswith(".py") else "",
)
def test_code_renames_the_models_that_use_it(file, pattern, new, models, copy, before):
    copy.change(file, pattern, new)
    found = {name for name in renamed(copy, before) if name.startswith(("train", "evaluation"))}
    expected = of(models, "train", "probe")
    assert found == {name for name in expected if not name.startswith("probe/")}


def test_code_of_the_probe_renames_evaluations_alone(copy, before):
    copy.change("probe/closed_form.py", "^RCOND = 1e-12", "RCOND = 1e-10")
    found = renamed(copy, before)
    assert found - {"report", "track"} == of(MODELS, "probe")


def test_code_in_a_sub_package_of_models_counts(copy):
    inner = copy.package / "models/parts/deep"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").touch()
    (inner / "sizes.py").write_text("SIZE = 1\n")
    copy.change(
        "models/vicreg.py", "^from slow_features.errors import InputError$",
        r"\g<0>\nfrom slow_features.models.parts.deep.sizes import SIZE",
    )  # fmt: skip
    before = copy.names()
    (inner / "sizes.py").write_text("SIZE = 2\n")
    assert renamed(copy, before) == of(["VICReg"], "train", "probe")


def test_the_fingerprints_name_the_files_that_count(tmp_path):
    identity.write_fingerprints(tmp_path)
    vicreg = json.loads((tmp_path / "train/VICReg.json").read_text())
    assert {"losses/vicreg.py", "models/jepa.py", "training/loop.py"} <= set(vicreg["files"])
    assert "training/progress.py" not in vicreg["files"]
    assert {path.stem for path in (tmp_path / "probe").iterdir()} == set(MODELS)


def test_no_number_hides_in_a_module_that_does_not_count():
    """What counted code takes from the others is a class or a function.

    Exempt is what the registry's entry of a model hands over, which is a part of the fingerprint,
    and how the system says that it has no file handle left.
    """
    counted = set().union(*(files_of(roots, m) for roots in (TRAINING, EVALUATION) for m in MODELS))
    taken = {name for file in counted for name in constants_from_others(file, counted)}
    exempt = {"models.registry.MODELS", "config.sections.FREE_NATS", "files.NO_HANDLE_LEFT"}
    assert taken <= exempt
    assert MODELS["RSSM"].loss_floor == 3.0  # it holds FREE_NATS, so its change is seen


def constants_from_others(file: Path, counted: set[Path]) -> set[str]:
    """Return what a file imports from uncounted modules of ours that can hold a number."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("slow_features."):
            module = importlib.import_module(node.module)
            for name in (alias.name for alias in node.names):
                value = getattr(module, name, None)
                plain = isinstance(value, int | float | str | bytes | tuple | list | dict | set)
                if plain and Path(module.__file__) not in counted:
                    found.add(f"{node.module}.{name}".removeprefix("slow_features."))
    return found


# --- settings ---------------------------------------------------------------------------------


def test_a_training_is_renamed_by_what_decides_its_weights_and_by_nothing_else():
    config = small_config()
    name = training_identity(config)
    same = [
        "run_name=x", "run_group=y", "output_path=y", "wandb=true", "scale=mine",
        "safe_every_n_epochs=2", "probing_cfg.lr=0.5", "probing_cfg.sequences=99",
        "val_dataset_size=40", "val_n_steps=6", "simclr.epochs=9", "rssm.min_var=0.5",
        "dataset_structured_noise_path=nowhere",
    ]  # fmt: skip
    other = [
        "seed=3", "vicreg.base_lr=0.7", "vicreg.epochs=4", "dataset_normalize=false", "threads=2",
        "dataset_noise=1", "dataset_size=80", "dataset_batch_size=8", "n_steps=6",
        "precision=bfloat16", "dataset_dot_std=1.4",
    ]  # fmt: skip
    assert {training_identity(small_config("VICReg", value)) for value in same} == {name}
    names = {training_identity(small_config("VICReg", value)) for value in other}
    assert name not in names and len(names) == len(other)


@pytest.mark.parametrize("model_type", MODELS)
def test_no_two_models_share_a_name(model_type):
    names = {training_identity(small_config(name)) for name in MODELS}
    assert len(names) == len(MODELS)
    others = {training_identity(small_config(model_type, f"seed={seed}")) for seed in (2, 3)}
    assert len(others | names) == len(MODELS) + 2


def test_an_evaluation_is_renamed_by_its_training_and_by_the_probe():
    config = small_config()
    name = evaluation_identity(config)
    same = ["run_name=x", "simclr.epochs=9", "wandb=true"]
    other = ["seed=3", "probing_cfg.sequences=80", "val_dataset_size=40", "val_n_steps=6",
             "probing_cfg.solver=adam"]  # fmt: skip
    assert all(evaluation_identity(small_config("VICReg", value)) == name for value in same)
    names = {evaluation_identity(small_config("VICReg", value)) for value in other}
    names |= {evaluation_identity(config, adam_probe=True), training_identity(config)}
    assert name not in names and len(names) == len(other) + 2


def test_weights_to_start_from_count_by_their_content(tmp_path):
    names = [training_identity(small_config())]
    for file, content in (("a", b"one"), ("b", b"one"), ("a", b"two")):
        (tmp_path / file).write_bytes(content)
        start = f"load_checkpoint_path={tmp_path / file}"
        names.append(training_identity(small_config("VICReg", start)))
    assert names[1] == names[2] and len(set(names)) == 3


def test_images_count_by_their_content_and_only_where_they_are_seen(tmp_path, monkeypatch):
    structured = ["dataset_structured_noise=true"]
    photographs = training_identity(small_config("VICReg", *structured))
    write_cifar(tmp_path / "a", monkeypatch)
    cifar = images_at(tmp_path / "a")
    assert cifar != photographs
    write_cifar(tmp_path / "b", monkeypatch)
    assert images_at(tmp_path / "b") == cifar
    monkeypatch.setattr(cifar_files, "content_of", lambda name: content_of(f"another {name}"))
    write_cifar(tmp_path / "c", monkeypatch)
    assert images_at(tmp_path / "c") != cifar


def images_at(folder: Path) -> str:
    values = ["dataset_structured_noise=true", f"dataset_structured_noise_path={folder}"]
    return training_identity(small_config("VICReg", *values))


def test_other_settings_are_named_and_places_are_not_settings():
    config = small_config()
    had = settings_of_weights(small_config("VICReg", "seed=2", "vicreg.base_lr=0.7", "threads=2"))
    assert other_settings(config, had) == ["seed", "vicreg"]
    assert other_settings(config, settings_of_weights(config)) == []
    assert "model_type" in other_settings(config, {})


def test_a_setting_younger_than_a_training_had_what_is_its_default_now():
    had = settings_of_weights(small_config())
    had["vicreg"] = {key: value for key, value in had["vicreg"].items() if key != "time_std_coeff"}
    assert other_settings(small_config(), had) == []
    assert other_settings(small_config("VICReg", "vicreg.time_std_coeff=1"), had) == ["vicreg"]
    del had["n_steps"]  # of the top level, where a setting may be left out by mistake
    assert other_settings(small_config(), had) == ["n_steps"]
