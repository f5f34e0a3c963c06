"""Settings: merged in order, refused with one clear line, written as they are read."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.config.cli import as_yaml
from slow_features.config.describe import all_settings, help_text
from slow_features.config.load import MAX_BYTES, load_config, parse_value, read_yaml, validate
from slow_features.config.schema import Experiment
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


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("False", False), ("true", True), ("False ", False)]
)
def test_values_are_yaml_or_python(text, value):
    assert load_config([], [f"wandb={text}"]).config.wandb is value


@pytest.mark.parametrize("text", ["None", "null", "~", ""])
def test_nothing_has_four_names(text):
    config = load_config([], [f"run_name={text}", f"output_path={text}"]).config
    assert (config.run_name, config.output_path) == (None, "runs/experiment")
    assert load_config([], ["run_name='None'"]).config.run_name == "None"


def test_a_setting_knows_where_it_comes_from(tmp_path):
    first = write(tmp_path, "a.yaml", "wandb: true\nseed: 1\n")
    second = write(tmp_path, "b.yaml", "seed: 2\n")
    loaded = load_config([first, second], ["vicreg.epochs=3"])
    where = (str(first), str(second), "--values")
    assert tuple(map(loaded.origins.get, ("wandb", "seed", "vicreg.epochs"))) == where
    assert "threads" not in loaded.origins


@pytest.mark.parametrize("text", ["[1,", "[[],", "[{},", "[a, b: c,"])
def test_a_large_file_is_refused_at_once_and_the_largest_soon(tmp_path, text):
    large = "seed: [" + text[1:] * (1_000_000 // len(text)) + "1]"
    allowed = "seed: [" + text[1:] * (MAX_BYTES // len(text)) + "1]"
    for content, seconds in ((large, 0.1), (allowed, 5.0)):
        file = write(tmp_path, "large.yaml", content)
        started = time.process_time()
        with pytest.raises(InputError, match=r"large\.yaml"):
            load_config([file])
        assert time.process_time() - started < seconds


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match=r"pipe\.yaml: a pipe or a device; allowed: a YAML file"):
        load_config([tmp_path / "pipe.yaml"])


@pytest.mark.parametrize("key", ["output_path", "load_checkpoint_path", "run_name"])
@pytest.mark.parametrize("character", ["\\0", "\\ud800", "\\udcff"])
def test_characters_that_no_file_holds_are_refused(key, character):
    """The first ends a name for the system, the others have no bytes."""
    with pytest.raises(InputError, match="character #x"):
        load_config([], [f'{key}="a{character}b"'])


def test_help_names_every_key_with_its_meaning():
    text = help_text()
    for key, setting in all_settings().items():
        assert f"  {key} = " in text
        assert setting.meaning in text


def test_help_on_some_settings_names_those_alone():
    text = help_text("noise_path")
    assert text.splitlines()[1] == "  dataset_structured_noise_path = null"
    assert len(text.splitlines()) == 3


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


def test_three_dots_in_one_channel_are_said():
    """params.yaml speaks of 3 channels."""
    (line,) = load_config([], ["dataset_type=Multiple"]).notices
    assert line == "dataset_type Multiple with channels 1: the three dots share one channel"
    assert load_config([], ["dataset_type=Multiple", "vicreg.channels=3"]).notices == []


@pytest.mark.parametrize("value", ["simclr.loss_temp=1e-30", "rssm.rssm_adam_epsilon=1e-300",
                                   "vicreg.base_lr=1e-40", "idm.action_coeff=1e-300"])  # fmt: skip
def test_numbers_that_vanish_in_float32_are_refused(value):
    with pytest.raises(InputError, match="allowed: a number at least 1e-"):
        load_config([], [value])


def test_whoever_reads_a_file_of_settings_may_change_what_they_get(tmp_path):
    (file := tmp_path / "one.yaml").write_text("rssm: {epochs: 5}\n")
    read_yaml(file)["rssm"]["epochs"] = 7
    assert read_yaml(file) == {"rssm": {"epochs": 5}}
    file.write_text("rssm: {epochs: 6}\n")  # a file that was changed is read again
    assert read_yaml(file) == {"rssm": {"epochs": 6}}
