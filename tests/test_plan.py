"""The plan: what is there, what is left, how long and how large, by the numbers of this machine."""

import re
import subprocess
from dataclasses import replace

import pytest
import yaml

from slow_features.config.load import load_config
from slow_features.data.cache import bytes_to_write, data_for
from slow_features.errors import InputError
from slow_features.grid import speed
from slow_features.grid.cells import cells_of
from slow_features.grid.definition import load_grid, scales
from slow_features.grid.plan import Pace, count, kind_here, plan, sequences_of
from slow_features.grid.run import record_finished, run_cell, stored
from slow_features.grid.select import select
from slow_features.provenance import provenance
from slow_features.results.files import RunRecord, read_run
from slow_features.results.gathered import gather
from tests.test_library import ROOT, make_project


@pytest.fixture
def project(tmp_root):
    make_project(tmp_root)
    return tmp_root


def pace_of(cells, per_second=4.0):
    """Return a pace at which all train as fast, and nothing need be timed but an evaluation."""
    known = {kind_here(cell.config): per_second for cell in cells}
    return Pace(known, _evaluated_per_second=8.0)


def line(text, name):
    """Return the numbers of one line of a plan."""
    (found,) = re.findall(rf"^ *{name} +(.*)$", text, re.MULTILINE)
    return [float(number.replace(",", "")) for number in found.split()]


def test_what_is_there_and_what_is_left(project):
    first, *rest = cells = cells_of("quick")
    run_cell(first)
    record_finished(cells)
    run_cell(rest[0], "train")
    table = count(cells, pace_of(cells))
    assert table["in git"].tolist() == [1, 0, 0]
    assert table["here"].tolist() == [1, 0, 0]
    assert table["to run"].tolist() == [0, 1, 1]
    assert table["sequences"].tolist() == [0, 0, 32]
    evaluation = (48 + 32) / 8
    assert table["seconds"].tolist() == [0, evaluation, 32 / 4 + evaluation]
    written = stored(first).place.weights.stat().st_size
    assert table["disk"][2] == pytest.approx(written, rel=0.1)  # three channels; a header


def test_gathered_weights_are_not_trained_again(project):
    cell = cells_of("quick")[0]
    gather_from(cell)
    (project / ".cells").rename(project / "aside")
    row = count([cell], pace_of([cell])).iloc[0]
    assert (row["to run"], row["sequences"], row["disk"]) == (1, 0, 0)


def gather_from(cell):
    place = run_cell(cell, "train")
    record_finished([cell])
    assert gather(cell.path, place.weights)


def test_minutes_are_those_of_the_cores_but_not_below_the_longest_cell(project):
    cells = cells_of("quick")
    pace = pace_of(cells, per_second=0.0095)  # 32 sequences in 3,368 s, 56 min
    assert line(plan(cells, pace, at_once=1), "quick")[5] == 169
    assert line(plan(cells, pace, at_once=2), "quick")[5] == 84
    assert line(plan(cells, pace, at_once=9), "quick")[5] == 56
    assert line(plan(cells[:1], pace, at_once=9), "quick")[:4] == [1, 0, 0, 1]


def test_the_published_probe_is_counted(project):
    cell = cells_of("quick")[0]
    with_adam = replace(cell, adam_probe=True)
    once, both = count([cell, with_adam], pace_of([cell]))["seconds"]
    assert both - once == (30 * 32 + 32) / 8  # 30 epochs, and measured on the evaluation split


def test_speeds_are_those_of_this_processor(project, monkeypatch):
    cell = cells_of("quick")[0]
    run = run_cell(cell).run
    expected = {kind_here(cell.config): read_run(run).sequences_per_second}
    assert speed.known_speeds() == expected
    record_finished([cell])
    (project / ".cells").rename(project / "aside")
    assert speed.known_speeds() == expected  # from git
    other = replace(provenance(), machine={"cpu": "another"})
    monkeypatch.setattr(speed, "provenance", lambda: other)
    assert speed.known_speeds() == {}


def test_the_store_wins_over_git(project):
    cell = cells_of("quick")[0]
    file = run_cell(cell).run
    record_finished([cell])
    faster = RunRecord(**read_run(file).model_dump() | {"sequences_per_second": 1e6})
    file.write_text(faster.model_dump_json())
    assert speed.known_speeds() == {kind_here(cell.config): 1e6}


def test_speed_in_another_arithmetic_is_not_expected_here(project):
    """Processors of one name differ in whether they multiply bfloat16."""
    cell = cells_of("quick")[0]
    file = run_cell(cell).run
    run = read_run(file)
    other = {"float32": "bfloat16", "bfloat16": "float32"}[run.arithmetic]
    file.write_text(RunRecord(**run.model_dump() | {"arithmetic": other}).model_dump_json())
    assert len(speed.known_speeds()) == 1
    assert kind_here(cell.config) not in speed.known_speeds()


def test_the_kind_of_a_training_is_its_size_and_not_its_rates():
    def kind(*values):
        return kind_here(load_config(["params.yaml"], ["device=cpu", *values]).config)

    same = ("vicreg.base_lr=0.5", "seed=3", "vicreg.epochs=7", "dataset_noise=0")
    other = (
        "vicreg.backbone_width_factor=3", "model_type=IDM", "threads=4", "precision=bfloat16",
        "n_steps=9", "vicreg.action_coeff=0.1",
    )  # fmt: skip
    assert {kind(value) for value in same} == {kind()}
    assert len({kind(value) for value in other} | {kind()}) == len(other) + 1


def test_what_was_never_trained_is_timed_and_said(project, monkeypatch):
    monkeypatch.setattr(speed, "_TIMED_SECONDS", 0.05)
    text = plan(select(["quick"]))
    assert "timed just now, for want of such a training: VICReg (2 sizes)" in text
    assert line(text, "VICReg")[:5] == [3, 0, 0, 3, 0]
    assert not list(project.glob(".cells/*"))  # nothing is left behind
    assert not (project / ".cache").exists()


def test_data_sets_count_until_they_are_there(project):
    config = cells_of("quick")[0].config
    expected = bytes_to_write(config)
    dataset = data_for(config)
    arrays = [file for file in dataset.folder.glob("*.npy") if not file.name.startswith("images")]
    assert expected == sum(file.stat().st_size - 128 for file in arrays)  # the header of .npy
    assert bytes_to_write(config) == 0
    more = config.model_copy(update={"val_dataset_size": 64})
    assert bytes_to_write(config, more) > expected


def test_sequences_are_those_of_whole_batches():
    config = load_config(["params.yaml"]).config
    assert sequences_of(config) == 2 * (10_000 // 64) * 64
    assert sequences_of(load_config(["params.yaml"], ["model_type=Random"]).config) == 0


def test_a_scale_of_ones_own_has_a_file_of_its_own(project):
    grids = yaml.safe_load((project / "grids.yaml").read_text())
    own = grids["quick"] | {"levels": {"fixed_uniform": ["0.5"]}, "seeds": [7]}
    (project / "grids").mkdir()
    (project / "grids/mine.yaml").write_text(yaml.safe_dump(own))
    assert scales() == [
        "mixtures",
        "paper",
        "published",
        "quick",
        "remedies",
        "seeds",
        "standard",
        "mine",
    ]
    cells = select(["mine/*/*/*-published-*"])
    assert [str(cell.path) for cell in cells] == [
        "mine/VICReg/fixed_uniform/alpha0.5-published-seed7"
    ]
    assert line(plan(cells, pace_of(cells)), "mine")[0] == 1
    (project / "grids/mine.yaml").write_text("levels: {}\n")
    with pytest.raises(InputError, match=r"grids/mine.yaml.seeds"):
        load_grid("mine")


def test_make_passes_the_wildcards_on():
    for target in ("plan", "reproduce"):
        command = ["make", "-n", target, "CELLS=standard/*/three_dots quick"]
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert f"set -f; python stages/{target}.py standard/*/three_dots quick" in shown
