"""Settings: merged in order, refused with one clear line, written as they are read."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.config.authors_layout import authors_settings, published_rows
from slow_features.config.cli import as_yaml
from slow_features.config.describe import all_settings, help_text
from slow_features.config.load import load_config, parse_value, validate
from slow_features.config.published import recognise
from slow_features.config.schema import Experiment
from slow_features.config.sections import SupervisedSection
from slow_features.errors import InputError
from slow_features.models.registry import MODELS, section_name


def write(folder, name, text):
    file = folder / name
    file.write_text(text)
    return file


def test_later_files_win_and_values_win_over_files(tmp_path):
    first = write(tmp_path, "a.yaml", "seed: 1\nvicreg: {base_lr: 0.1, sim_coeff: 3.0}\n")
    second = write(tmp_path, "b.yaml", "seed: 2\nvicreg: {base_lr: 0.2}\n")
    config = load_config([first, second], ["vicreg.base_lr=0.3"]).config
    assert (config.seed, config.vicreg.base_lr, config.vicreg.sim_coeff) == (2, 0.3, 3.0)


def test_printed_configuration_loads_to_itself(tmp_path):
    config = load_config([], ["model_type=SimCLR", "simclr.loss_temp=1e-3", "seed=7"]).config
    file = write(tmp_path, "c.yaml", as_yaml(config))
    assert load_config([file]).config == config


def test_params_yaml_is_valid_and_gives_each_value_its_reason():
    assert load_config(["params.yaml"]).notices == []
    lines = Path("params.yaml").read_text().splitlines()
    values = [line for line in lines if ": " in line and not line.lstrip().startswith("#")]
    without_reason = [line for line in values if "#" not in line and "epochs: 2" not in line]
    assert without_reason in ([], ["model_type: VICReg"]), without_reason


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("dataset_noise=-1", ["dataset_noise", "-1", "at least 0"]),
        ("dataset_noise=.nan", ["dataset_noise", "nan", "a number"]),
        ("dataset_noise=true", ["dataset_noise", "True", "a number"]),
        ("dataset_noise=", ["dataset_noise", "null", "a number"]),
        ("dataset_batch_size=20000", ["dataset_batch_size", "20000", "10000"]),
        ("vicreg.channels=3", ["vicreg.channels", "3", "dataset_type"]),
        ("vicreg.arch=vgg16", ["vicreg.arch", "vgg16", "only 'menet5'"]),
        ("vicreg.base_lrr=1", ["vicreg.base_lrr", "did you mean vicreg.base_lr?"]),
        ("base_lr=1", ["base_lr", "did you mean", ".base_lr?"]),
        ("model_type=VICreg", ["model_type", "VICreg", "VICReg"]),
        ("vicreg=3", ["vicreg", "3", "section"]),
        ("eval_only=true", ["eval_only", "load_checkpoint_path"]),
        ("seed=1.5", ["seed", "1.5", "whole number"]),
        ("a.b.c=1", ["a.b.c", "section.key=value"]),
        ("seed", ["seed", "key=value"]),
        ("seed=!!python/object/apply:os.getcwd []", ["not YAML"]),
    ],
)
def test_bad_value_is_named_with_what_is_allowed(value, parts):
    with pytest.raises(InputError) as error:
        load_config([], [value])
    message = str(error.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    ["", "- 1\n", "{", "a: {b: {c: 1}}", "1: 2", "\x00", "seed: 1\nseed: !!set {1}\n", "&a [*a]"],
)
def test_bad_file_is_named(tmp_path, text):
    file = write(tmp_path, "bad.yaml", text)
    with pytest.raises(InputError) as error:
        load_config([file])
    assert "\n" not in str(error.value)


def test_missing_file_and_folder_are_named(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(InputError, match=str(path)):
            load_config([path])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*all_settings(), "nonsense", "vicreg.nonsense"]), json_values)
def test_any_value_of_any_key_is_read_or_refused_with_one_line(key, value):
    """The only outcomes of any input are a checked experiment and an InputError."""
    section, _, name = key.rpartition(".")
    raw = {section: {name: value}} if section else {name: value}
    try:
        assert isinstance(validate(raw), Experiment)
    except InputError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 500


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_any_dotted_text_is_parsed_or_refused(text):
    try:
        assert isinstance(parse_value(text), dict)
    except InputError as error:
        assert "--values" in str(error)


def test_published_keys_without_meaning_are_accepted_with_one_line_each():
    loaded = load_config([], ["eval_mpcs=5", "rssm.log_recontructed_image=true"])
    assert len(loaded.notices) == 2
    assert "eval_mpcs" in loaded.notices[0]


def test_all_published_rows_describe_the_right_model(tmp_path):
    """The 144 published best configurations load in the authors' layout, as YAML files."""
    rows = published_rows()
    assert len(rows) == 144
    expected = {"vicreg": "VICReg", "simclr": "SimCLR", "idm": "IDM", "rssm": "RSSM"}
    for row in rows:
        file = write(tmp_path, "published.yaml", yaml.safe_dump(authors_settings(row)))
        config = load_config([file]).config
        assert config.model_type == expected.get(row["method"], "Supervised"), row["file"]
        assert config.dataset_batch_size == int(row["dataset_batch_size"])
        assert config.dataset_noise == float(row["dataset_noise"])
        assert config.dataset_static_noise == float(row["dataset_static_noise"])
        assert _rate(config) == _published_rate(row)


def _rate(config):
    names = {"RSSM": "learning_rate", "Supervised": "lr"}
    return getattr(config.model, names.get(config.model_type, "base_lr"))


def _published_rate(row):
    keys = ("vicreg.base_lr", "simclr.base_lr", "rssm.learning_rate", "probing_cfg.lr")
    return float(next(row[key] for key in keys if row[key]))


def test_supervised_takes_sizes_from_its_published_section():
    row = next(r for r in published_rows() if r["file"].startswith("sweep_fixed_uniform.(1).sup"))
    config, notices = recognise(validate(authors_settings(row)))
    assert config.supervised == SupervisedSection(
        backbone_mlp=2048, embedding_size=512, rnn_layers=3, backbone_width_factor=4,
        lr=0.0001913441728703785, epochs=200, batch_size=128,
    )  # fmt: skip
    assert config.eval_only is False
    assert len(notices) == 1


def test_help_names_every_key_with_its_meaning():
    text = help_text()
    for key, setting in all_settings().items():
        assert f"  {key} = " in text
        assert setting.meaning in text


def test_every_model_type_has_its_section():
    config = Experiment()
    for name, entry in MODELS.items():
        assert isinstance(getattr(config, section_name(name)), entry.section_class())


def test_reading_settings_needs_no_torch():
    code = (
        "import sys; from slow_features.config.load import load_config as f; f(['params.yaml']);"
        "sys.exit('torch' in sys.modules or 'mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
