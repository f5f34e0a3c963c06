"""What lies in the files of a result is what was written, or one line says which is not."""

from __future__ import annotations

import json
import re
from pathlib import PurePath

import pytest

from slow_features.errors import InputError
from slow_features.files import write_json
from slow_features.probe.result import write_block
from slow_features.results import files
from slow_features.results.files import Place, read_outputs
from tests.fake_results import fake_result, fake_summary, write_fake_cell
from tests.tiny import small_config

CONFIG = small_config()


@pytest.fixture
def place(tmp_path):
    """A made-up result."""
    place = Place.below(tmp_path)
    write_fake_cell(place, CONFIG, 4.5, adam_px=4.8)
    write_json(place.probe / files.DYNAMICS_FILE, {"copy_mse": 0.5})
    return place


def test_everything_is_read(place):
    outputs = read_outputs(place)
    assert outputs.result.pred.rmse_px == pytest.approx(4.5)
    assert outputs.adam.pred.rmse_px == pytest.approx(4.8)
    assert outputs.dynamics == {"copy_mse": 0.5}
    assert outputs.summary == fake_summary(CONFIG)
    assert outputs.run.revision == "f00d" * 10
    assert [row["loss"] for row in outputs.curve] == [4.0, 3.0, 2.0]
    assert len(outputs.paths.true) == 8


def test_what_only_some_cells_have_may_be_missing(place):
    (place.probe / files.ADAM_FILE).unlink()
    assert read_outputs(place).adam is None


NAMES = {
    "train.json": "train", "curves.csv": "train", "run.json": "train", "result.json": "probe",
    "result_adam.json": "probe", "paths.json": "probe", "dynamics.json": "probe",
}  # fmt: skip
DAMAGES = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "an empty object": lambda content: b"{}",
    "a list": lambda content: b"[]",
    "a number": lambda content: b"1",
    "null": lambda content: b"null",
    "not UTF-8": lambda content: b"\xff\xfe" + content,
    "zeros": lambda content: bytes(len(content)),
    "deep": lambda content: b"[" * 100_000,
    "a text for a number": lambda content: NUMBER.sub(b'"x"', content, count=1),
    "not a number": lambda content: NUMBER.sub(b"NaN", content, count=1),
}
NUMBER = re.compile(rb"(?<=[\s,:])\d[\d.]*")
HARMLESS = [("dynamics.json", "an empty object"), ("run.json", "a text for a number")]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_named_in_one_line(name, damage, place, tmp_path):
    file = tmp_path / NAMES[name] / name
    if (name, damage) in HARMLESS:
        pytest.skip("no damage to this file")
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    check_named(file, place)


def check_named(file, place):
    with pytest.raises(InputError) as caught:
        read_outputs(place)
    line = str(caught.value)
    assert line.startswith(f"{file}: ") and line.isprintable() and len(line) < 600


@pytest.mark.parametrize("name", ["train.json", "curves.csv", "run.json", "result.json"])
def test_a_missing_file_is_named(name, place, tmp_path):
    file = tmp_path / NAMES[name] / name
    file.unlink()
    check_named(file, place)
    file.mkdir()
    check_named(file, place)


@pytest.mark.parametrize(
    "text",
    [
        "1,1,2\r3,1,2\r", "1,1,2\r3,1,2\n", "1,1,2\n3\n", "1,1,x\n", "1,1,2,3\n", '1,1,"2\n',
        "1,1,nan\n", "1,1,inf\n", "1,1,\x00\n", "1,1,\n", "\x0c1,1,2\n1,1\n",
    ],
)  # fmt: skip
def test_a_curve_that_is_no_table_of_numbers_is_named(text, place):
    file = place.train / files.CURVES_FILE
    file.write_bytes(f"step,epoch,loss\n{text}".encode())
    check_named(file, place)
    with pytest.raises(InputError, match="not a table of numbers"):
        files.read_curve(file)


def test_a_curve_that_ends_elsewhere_than_the_summary_is_named(place):
    """Half of its rows are a sound table."""
    file = place.train / files.CURVES_FILE
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert len(files.read_curve(file)) == 2
    check_named(file, place)


def test_a_run_from_before_the_arithmetic_was_noted_has_the_one_asked_for(place):
    content = json.loads(place.run.read_text())
    del content["arithmetic"]
    write_json(place.run, content)
    outputs = read_outputs(place)
    assert (outputs.run.arithmetic, outputs.arithmetic) == (None, "float32")


def test_empty_cells_of_a_curve_are_left_out(tmp_path):
    file = tmp_path / "curves.csv"
    file.write_text("step,epoch,loss,kl\n0,0,1.5,\n1,0.5,1.25,3\n")
    first, second = files.read_curve(file)
    assert first == {"step": 0.0, "epoch": 0.0, "loss": 1.5}
    assert second == {"step": 1.0, "epoch": 0.5, "loss": 1.25, "kl": 3.0}


def test_a_curve_without_rows_is_that_of_a_model_that_is_not_trained(tmp_path):
    file = tmp_path / "curves.csv"
    file.write_text("step,epoch,loss\n")
    assert files.read_curve(file) == []


def test_an_evaluation_of_other_weights_is_refused(place):
    """Both files are sound; only together they are not."""
    other = fake_result(CONFIG, 1.0).model_copy(update={"weights_checksum": "abcdef"})
    write_block(place.probe / files.RESULT_FILE, other)
    with pytest.raises(InputError, match=r"result\.json: evaluates other weights"):
        read_outputs(place)


def test_the_published_probe_of_other_weights_is_refused(place):
    other = fake_result(CONFIG, 1.0).model_copy(update={"weights_checksum": "abcdef"})
    write_block(place.probe / files.ADAM_FILE, other)
    with pytest.raises(InputError, match=r"result_adam\.json: evaluates other weights"):
        read_outputs(place)


def test_unknown_entries_are_refused(place):
    content = fake_summary(CONFIG).model_dump() | {"extra": 1}
    write_json(place.train / files.SUMMARY_FILE, content)
    with pytest.raises(InputError, match=r"train\.json: not as it was written \(extra"):
        read_outputs(place)


def test_places_in_git():
    place = Place.recorded(PurePath("quick/VICReg/fixed_uniform/alpha1.25-control-seed1"))
    name = "quick/VICReg/fixed_uniform/alpha1.25-control-seed1"
    assert str(place.train) == f"results/train/{name}"
    assert str(place.probe) == f"results/probe/{name}"
    assert str(place.run) == f"results/runs/{name}.json"


def test_a_seal_finds_a_changed_a_missing_and_a_new_file(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    files.seal(tmp_path)
    assert files.damage(tmp_path) is None
    (tmp_path / "b").write_text("c")
    assert files.damage(tmp_path) == "b"
    (tmp_path / "b").unlink()
    assert files.damage(tmp_path) == "b"
    (tmp_path / "b").write_text("b")
    (tmp_path / "new").touch()
    assert files.damage(tmp_path) == "new"


@pytest.mark.parametrize("seal", ["", "{", "[]", "null", '{"a": 1}', "[" * 100_000])
def test_a_damaged_seal_is_damage(seal, tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "sha256.json").write_text(seal)
    assert files.damage(tmp_path) in ("sha256.json", "a")
    (tmp_path / "sha256.json").unlink()
    assert files.damage(tmp_path) == "sha256.json"
