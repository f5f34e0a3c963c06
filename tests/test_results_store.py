"""The store makes each result once, hands out nothing that is damaged, and makes that again."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from slow_features import paths
from slow_features.identity import evaluation_identity, training_identity
from slow_features.probe.result import read_result
from slow_features.results.files import read_outputs
from slow_features.results.store import StoredCell
from slow_features.weights import FORMAT, checksum, read_tensors
from tests.tiny import small_config

CONFIG = small_config()


@pytest.fixture
def work(tmp_root, monkeypatch):
    """A place of its own, and what is done in it: a list of "train" and "probe"."""
    from slow_features.probe import stage
    from slow_features.training import train as training

    done = []
    for module, name, word in ((training, "train", "train"), (stage, "evaluate_weights", "probe")):
        monkeypatch.setattr(module, name, noted(getattr(module, name), done, word))
    return done


def noted(function, done, word):
    def call(*arguments, **options):
        done.append(word)
        return function(*arguments, **options)

    return call


def contents(place) -> dict[str, bytes]:
    """Return the bytes of a result but for its run and the seal, which holds the run's checksum."""
    files = [*place.train.iterdir(), *place.probe.iterdir()]
    return {f.name: f.read_bytes() for f in files if f.name not in ("run.json", "sha256.json")}


def test_a_cell_is_trained_and_evaluated_once(work):
    cell = StoredCell(CONFIG)
    assert (cell.trained, cell.finished) == (False, False)
    place = cell.evaluate()
    assert work == ["train", "probe"]
    assert cell.trained and cell.finished
    before = contents(place)
    for again in (cell, StoredCell(small_config("VICReg", "run_name=another", "output_path=x"))):
        assert again.evaluate() == place == again.train()
    assert work == ["train", "probe"]
    assert contents(place) == before


def test_a_finished_training_keeps_no_checkpoint(work):
    """A kill between the result and the end of the training leaves one."""
    StoredCell(CONFIG).train()
    file = paths.checkpoint(training_identity(CONFIG))
    file.parent.mkdir(parents=True)
    file.touch()
    StoredCell(CONFIG).train()
    assert work == ["train"]
    assert not file.parent.exists()


def test_a_cell_lies_where_its_identities_say(tmp_root):
    place = StoredCell(CONFIG).evaluate()
    home = tmp_root / ".cells" / training_identity(CONFIG)
    assert place.train == home / "train"
    assert place.probe == home / f"probe-{evaluation_identity(CONFIG)}"
    outputs = read_outputs(place)
    assert outputs.summary.identity == training_identity(CONFIG)
    assert outputs.result.identity == evaluation_identity(CONFIG)


def test_another_probe_is_another_evaluation_of_the_same_training(work):
    first = StoredCell(CONFIG).evaluate()
    other = StoredCell(small_config("VICReg", "probing_cfg.sequences=48")).evaluate()
    both = StoredCell(CONFIG, adam_probe=True).evaluate()
    assert work == ["train", "probe", "probe", "probe"]
    assert first.train == other.train == both.train
    assert len({first.probe, other.probe, both.probe}) == 3
    assert not (first.probe / "result_adam.json").exists()
    adam = read_result(both.probe / "result_adam.json")
    assert adam.pred.solver == "adam"
    assert adam.identity == read_result(both.probe / "result.json").identity


def flip(file: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) * 3 // 4] ^= 1
    file.write_bytes(bytes(content))


def loop(file: Path) -> None:
    """Replace a file by a link to itself."""
    file.unlink()
    file.symlink_to(file.name)


DAMAGES = {
    "one bit of the weights": ("train", lambda p: flip(p.weights), "model.safetensors"),
    "no weights": ("train", lambda p: p.weights.unlink(), "model.safetensors"),
    "summary {}": ("train", lambda p: (p.train / "train.json").write_text("{}"), "train.json"),
    "curve cut": ("train", lambda p: (p.train / "curves.csv").write_text("step\n"), "curves.csv"),
    "no run": ("train", lambda p: p.run.unlink(), "run.json"),
    "no seal": ("train", lambda p: (p.train / "sha256.json").unlink(), "sha256.json"),
    "a file too many": ("train", lambda p: (p.train / "more").touch(), "more"),
    "a pipe": ("train", lambda p: (p.run.unlink(), os.mkfifo(p.run)), "run.json"),
    "a link to itself": ("train", lambda p: loop(p.train / "train.json"), "train.json"),
    "a folder": ("probe", lambda p: (p.probe / "more").mkdir(), "more"),
    "no result": ("probe", lambda p: (p.probe / "result.json").unlink(), "result.json"),
    "one bit of the result": ("probe", lambda p: flip(p.probe / "result.json"), "result.json"),
    "forged metrics": ("probe", lambda p: (p.probe / "metrics.json").write_text("{}"), "metrics"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project in which the cell is finished."""
    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        StoredCell(CONFIG).evaluate()
    return root


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_named_set_aside_and_made_again(damage, finished, work, capfd):
    part, spoil, name = DAMAGES[damage]
    shutil.copytree(finished / ".cells", paths.cells())
    cell = StoredCell(CONFIG)
    before = contents(cell.place)
    spoil(cell.place)
    assert contents(cell.evaluate()) == before
    assert work == [part]
    note = [line for line in capfd.readouterr().err.splitlines() if line.startswith("note: ")]
    assert len(note) == 1 and name in note[0]
    (aside,) = paths.cells().glob("*/*.damaged-1")
    assert aside.name in note[0]
    cell.evaluate()
    assert work == [part]


def test_what_is_damaged_twice_is_kept_twice(finished, work, capfd):
    place = StoredCell(CONFIG).evaluate()
    for _ in range(2):
        flip(place.weights)
        StoredCell(CONFIG).train()
    assert sorted(f.name for f in place.train.parent.glob("train*")) == [
        "train", "train.damaged-1", "train.damaged-2"
    ]  # fmt: skip
    assert work == ["train", "probe", "train", "train"]


def test_a_training_that_fails_leaves_no_cell(tmp_root, monkeypatch):
    from slow_features.training import loop

    def fail(session, step):
        raise ValueError("no good")

    monkeypatch.setattr(loop, "train_step", fail)
    with pytest.raises(ValueError, match="no good"):
        StoredCell(CONFIG).evaluate()
    assert not StoredCell(CONFIG).trained


def make(root: str, start, trained) -> None:
    """Make the cell in a process of its own; count its trainings."""
    from slow_features.training import train as training

    os.environ["DVC_ROOT"] = root
    train = training.train

    def counted(*arguments):
        with trained.get_lock():
            trained.value += 1
        train(*arguments)

    training.train = counted
    start.wait()
    StoredCell(CONFIG).evaluate()


def test_two_processes_at_once_make_it_once(tmp_root):
    context = multiprocessing.get_context("forkserver")
    start, trained = context.Barrier(2), context.Value("i", 0)
    both = [context.Process(target=make, args=(str(tmp_root), start, trained)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    assert trained.value == 1
    place = StoredCell(CONFIG).place
    outputs = read_outputs(place)
    assert checksum(read_tensors(place.weights, FORMAT).tensors) == outputs.result.weights_checksum
    assert len(list(place.train.parent.glob("probe-*"))) == 1
