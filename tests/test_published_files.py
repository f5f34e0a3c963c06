"""Files written for the authors' code: all of them load, and no setting vanishes without a word."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from slow_features.config import cli
from slow_features.config.authors_layout import PUBLISHED, authors_settings, published_rows
from slow_features.config.describe import all_settings
from slow_features.config.load import load_config, resolve, validate
from slow_features.config.published import WITHOUT_MEANING
from slow_features.config.schema import Experiment
from slow_features.config.yaml_text import read_yaml_text
from slow_features.errors import InputError

ROOT = Path(__file__).parents[1]
ROWS = published_rows()
CONSTANTS = yaml.safe_load((PUBLISHED / "constants.yaml").read_text())["constant_within_method"]
NAMES = {"vicreg": "VICReg", "simclr": "SimCLR", "idm": "IDM", "rssm": "RSSM"}
EXTRAS = {  # what each of the authors' files holds beside the hyper-parameters
    "output_path": None, "wandb": True, "load_checkpoint_path": None, "eval_mpcs": 20,
    "probe_mpc": False, "quick_debug": False, "eval_at_the_end_only": True,
    "safe_every_n_epochs": 5, "rssm.log_recontructed_image": True,
}  # fmt: skip
SPENT = {  # what says which model a file is about, and no more
    "IDM": [f"vicreg.{k}_coeff" for k in ("sim", "std", "cov", "encoding_std", "encoding_cov")],
    "Supervised": ["eval_only", "probing_cfg.full_finetune"],
}


def flat(nested: dict) -> dict:
    """Return settings by dotted key."""
    found = {}
    for key, value in nested.items():
        found |= (
            {f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
        )
    return found


def nest(settings: dict) -> dict:
    """Return settings by section."""
    nested: dict = {}
    for key, value in settings.items():
        section, _, name = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[name] = value
    return nested


def full_layout(row: dict) -> dict:
    """Return a row as the authors' files have it: every section, every key."""
    settings = {}
    for method in ("rssm", "simclr", "vicreg"):  # the sections of the models that it is not about
        settings |= {key: value for key, value in CONSTANTS[method].items() if "." in key}
    settings |= EXTRAS | {"run_name": row["file"], "run_group": f"{row['noise']} {row['alpha']}"}
    settings |= flat(authors_settings(row))
    if settings["dataset_structured_noise"]:
        settings["dataset_structured_noise_path"] = "/some/folder/that/is/not/here"
    return nest(settings)


def places(key: str, source: str, model_type: str) -> list[str]:
    """Return where a setting may stand in the configuration that is read as `model_type`.

    source: the section of the model type that the file names.
    """
    section, _, name = key.rpartition(".")
    if model_type == "IDM" and section == "vicreg":
        return [f"idm.{name}"]
    if model_type == "Supervised" and key in [
        f"probing_cfg.{k}" for k in ("lr", "epochs", "batch_size")
    ]:
        return [f"supervised.{name}"]
    if model_type == "Supervised" and section == source:
        return [f"supervised.{name}"] * (name != "epochs")
    return [key]


def vanished(key: str, value: object, source: str, config: dict, notices: list[str]) -> bool:
    """Tell whether a setting neither stands in the configuration nor is named."""
    model_type = config["model_type"]
    if any(notice.startswith((f"{key}:", f"{key} =")) for notice in notices):
        return False
    if key == "model_type" or key in SPENT.get(model_type, ()):
        return False
    if key in WITHOUT_MEANING:
        return bool(value)
    found = [config.get(place) for place in places(key, source, model_type)]
    return value not in found and str(value) not in map(str, found)  # backbone_mlp: '64' is 64


def print_config(file: Path) -> tuple[dict, list[str]]:
    """Return what --print-config prints: settings by dotted key, and the notices."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        arguments = cli.parser("").parse_args(["--configs", str(file), "--print-config"])
        with pytest.raises(SystemExit) as ended:
            cli.configuration(arguments)
    assert ended.value.code == 0
    notices = [line.removeprefix("note: ") for line in errors.getvalue().splitlines()]
    return flat(read_yaml_text(out.getvalue())), notices


def test_there_are_as_many_rows_as_published_files():
    assert len(ROWS) == 144
    assert len({row["file"] for row in ROWS}) == 144


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_a_published_file_loads_as_it_stands(row, tmp_path):
    file = tmp_path / row["file"]
    settings = full_layout(row)
    file.write_text(yaml.dump(settings, Dumper=yaml.CSafeDumper))
    printed, notices = print_config(file)
    assert printed["model_type"] == NAMES.get(row["method"], "Supervised")
    assert printed["output_path"] == Experiment().output_path
    assert printed["wandb"] is True
    defaults, source = flat(Experiment().model_dump()), settings["model_type"].lower()
    for key, value in flat(settings).items():
        nothing_asked = key == "output_path" or defaults.get(key) == value
        assert nothing_asked or not vanished(key, value, source, printed, notices), (key, value)
    recognised = [notice for notice in notices if ": read as model_type " in notice]
    assert len(recognised) == (row["method"] in ("idm", "supervised")), notices
    again = tmp_path / "again.yaml"
    again.write_text(yaml.safe_dump(nest(printed)))
    assert load_config([again]).config == load_config([file]).config


RATES = ("vicreg.base_lr", "simclr.base_lr", "rssm.learning_rate", "probing_cfg.lr")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_the_rate_of_a_published_file_is_that_of_the_model(row):
    model = resolve(full_layout(row)).config.model
    rate = next(getattr(model, n) for n in ("base_lr", "learning_rate", "lr") if hasattr(model, n))
    assert rate == float(next(row[key] for key in RATES if row[key]))


@pytest.mark.parametrize("method", ["vicreg", "simclr", "idm", "rssm", "supervised"])
def test_a_published_file_loads_in_a_process(method, tmp_path):
    row = next(row for row in ROWS if row["method"] == method and "structured" in row["noise"])
    file = tmp_path / row["file"]
    file.write_text(yaml.safe_dump(full_layout(row)))
    line = [sys.executable, "train.py", "--configs", str(file), "--print-config"]
    ended = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert f"model_type: {NAMES.get(method, 'Supervised')}" in ended.stdout
    assert "dataset_structured_noise_path: /some/folder/that/is/not/here" in ended.stdout


def test_supervised_takes_its_sizes_from_the_model_and_its_rate_from_the_probe():
    row = next(r for r in ROWS if r["file"].startswith("sweep_fixed_uniform.(1).sup"))
    config = resolve(full_layout(row)).config
    section = config.supervised
    assert str(section.backbone_mlp) == "2048"
    assert (section.embedding_size, section.rnn_layers, section.backbone_width_factor) == (
        512,
        3,
        4,
    )
    assert (section.lr, section.epochs, section.batch_size) == (0.0001913441728703785, 200, 128)
    assert (config.eval_only, config.probing_cfg.full_finetune) == (False, False)
    assert config.probing_cfg.epochs_enc == 10


# --- nothing vanishes without a word ----------------------------------------------------------

FORMS = {  # published forms of models that have a type of their own here
    "IDM": {"vicreg.sim_coeff": 0, "vicreg.std_coeff": 0, "vicreg.cov_coeff": 0,
            "vicreg.action_coeff": 0.5},
    "Supervised as SimCLR": {"model_type": "SimCLR", "eval_only": True,
                             "probing_cfg.full_finetune": True},
    "Supervised as VICReg": {"eval_only": True, "probing_cfg.full_finetune": True},
}  # fmt: skip
VALUES = [True, False, 0, 1, 2, 3, 5, 17, 0.25, 0.5, "x", "id", 64, "1.safetensors"]
CHOICES = ["Multiple", "cpu", "adam", "bfloat16", "SimCLR", "Random", "RSSM"]


def test_a_form_is_recognised():
    for form, settings in FORMS.items():
        loaded = resolve(nest(settings))
        assert loaded.config.model_type == form.split()[0]
        assert len(loaded.notices) == 1, loaded.notices


def accepted(form: dict, key: str) -> list:
    """Return values of a key, other than its default, that pass alone beside a form."""
    default, found = flat(Experiment().model_dump()).get(key), []
    for value in [*VALUES, *CHOICES]:
        try:
            read = validate(nest({**form, key: value}))
        except InputError:
            continue
        given = flat(read.model_dump())[key]
        if given != default and type(given) is type(value) and given not in found:
            found.append(value)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_no_setting_of_a_published_form_vanishes(form):
    """Whatever is set beside it survives, is named as without effect, or is refused."""
    tried, source = 0, FORMS[form].get("model_type", "VICReg").lower()
    for key in all_settings():
        for value in accepted(FORMS[form], key):
            try:
                loaded = resolve(nest({**FORMS[form], key: value}))
            except InputError as error:
                assert "allowed" in str(error)
                continue
            config = flat(loaded.config.model_dump())
            gone = vanished(key, value, source, config, loaded.notices)
            assert not gone, (key, value, loaded.notices)
            tried += 1
    assert tried > 100


@pytest.mark.parametrize("key", WITHOUT_MEANING)
def test_a_key_without_meaning_is_named_if_it_asks_for_something(key):
    for form in ({}, *FORMS.values()):
        before = resolve(nest(form))
        for value in (1, 0.5, True, "x", [1]):
            loaded = resolve(nest({**form, key: value}))
            assert [n for n in loaded.notices if n.startswith(f"{key}: ")] != []
            assert loaded.config == before.config
        for value in (0, 0.0, False, None):
            assert resolve(nest({**form, key: value})).notices == before.notices


def test_what_is_overwritten_says_what_counts():
    values = [f"{key}={value}" for key, value in FORMS["Supervised as SimCLR"].items()]
    loaded = load_config([], [*values, "supervised.lr=0.5", "probing_cfg.lr=0.25"])
    assert loaded.config.supervised.lr == 0.25
    assert loaded.notices[1:] == [
        "supervised.lr = 0.5: accepted, without effect (probing_cfg.lr counts)"
    ]


def test_settings_of_the_probe_that_a_supervised_model_leaves_alone_stay():
    values = [f"{key}={value}" for key, value in FORMS["Supervised as SimCLR"].items()]
    probe = load_config([], [*values, "probing_cfg.sequences=77", "probing_cfg.solver=adam"])
    assert probe.config.probing_cfg.sequences == 77
    assert probe.config.probing_cfg.solver == "adam"


def test_a_batch_that_is_too_large_is_refused_after_it_has_moved():
    values = [f"{key}={value}" for key, value in FORMS["Supervised as SimCLR"].items()]
    with pytest.raises(InputError, match=r"supervised\.batch_size = 20000: larger than the data"):
        load_config([], [*values, "probing_cfg.batch_size=20000"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["probing_cfg.full_finetune=True"], "eval_only"),
        (["model_type=RSSM", "eval_only=True", "probing_cfg.full_finetune=True"], "model_type"),
    ],
)
def test_half_a_published_form_is_refused(values, words):
    with pytest.raises(InputError, match=words):
        load_config([], values)
