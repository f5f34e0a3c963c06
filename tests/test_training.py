"""Training: the same bytes twice, after any stop, and a clear end when the numbers go wrong.

Kills are in test_kills.py.
"""

import datetime
import errno
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from slow_features import paths
from slow_features.data.arrays import map_array
from slow_features.data.cache import data_for
from slow_features.data.manifest import Manifest
from slow_features.data.noise import NoiseSetting
from slow_features.errors import InputError, InterruptError, MachineError, TrainingError
from slow_features.identity import training_identity
from slow_features.models.registry import MODELS
from slow_features.results.files import RunRecord, read_curve, read_run, read_summary
from slow_features.training import loop, machine
from slow_features.training import train as training
from slow_features.training.curve import Progress, Window
from slow_features.training.machine import choose_device
from slow_features.training.session import build_model, start_session, weights_moved
from slow_features.weights import FORMAT, checksum, load_weights, read_tensors
from tests.tiny import small_config

FILES = ("model.safetensors", "curves.csv", "train.json")


def contents(folder):
    return [(folder / name).read_bytes() for name in FILES]


_TRAIN_HERE = """
import sys
from slow_features.data.cache import data_for
from slow_features.paths import project_root
from slow_features.training.train import train
from tests.tiny import small_config
config = small_config("VICReg")
train(config, data_for(config), project_root() / "here", log=False)
sys.exit("torch._dynamo" in sys.modules)
"""


def test_a_training_with_lars_does_not_import_the_compiler(tmp_root):
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}  # a process of its own finds no tests/
    subprocess.run([sys.executable, "-c", _TRAIN_HERE], check=True, env=os.environ | path)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model_type", MODELS)
def test_same_settings_twice_give_the_same_bytes(model_type, precision, tmp_root):
    config = small_config(model_type, f"precision={precision}")
    data = data_for(config)
    for name in ("a", "b"):
        training.train(config, data, tmp_root / name, log=False)
    assert contents(tmp_root / "a") == contents(tmp_root / "b")


@pytest.mark.parametrize("values", [["dataset_type=Multiple", "vicreg.channels=3"], []])
def test_another_seed_gives_other_weights(values, tmp_root):
    for seed in (1, 2):
        config = small_config("VICReg", f"seed={seed}", *values)
        training.train(config, data_for(config), tmp_root / str(seed), log=False)
    assert contents(tmp_root / "1")[0] != contents(tmp_root / "2")[0]


@pytest.mark.parametrize("model_type", [name for name in MODELS if name != "Random"])
@pytest.mark.parametrize("stop_after", [1, 6])
def test_stopped_and_resumed_gives_the_same_bytes(model_type, stop_after, tmp_root, monkeypatch):
    """A stop request at any step leaves a checkpoint from which the same bytes follow."""
    config = small_config(model_type)
    data = data_for(config)
    training.train(config, data, tmp_root / "whole", log=False)

    step = loop.train_step

    def stopping_step(session, number):
        if number + 1 == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(session, number)

    monkeypatch.setattr(loop, "train_step", stopping_step)
    with pytest.raises(InterruptError) as error:
        training.train(config, data, tmp_root / "resumed", log=False)
    assert error.value.exit_code == 128 + signal.SIGTERM
    assert not (tmp_root / "resumed").exists()
    monkeypatch.setattr(loop, "train_step", step)
    training.train(config, data, tmp_root / "resumed", log=False)
    assert contents(tmp_root / "whole") == contents(tmp_root / "resumed")
    assert not (paths.checkpoints() / training_identity(config)).exists()


def test_loss_that_is_not_finite_is_named_and_the_checkpoint_kept(tmp_root, monkeypatch):
    config = small_config()
    data = data_for(config)
    step = loop.train_step

    def exploding(session, number):
        losses = step(session, number)
        return losses | {"loss": losses["loss"] * float("nan")} if number == 6 else losses

    monkeypatch.setattr(loop, "train_step", exploding)
    with pytest.raises(TrainingError, match="loss is nan at step 7"):
        training.train(config, data, tmp_root / "x", log=False)
    kept = paths.checkpoints() / training_identity(config) / "checkpoint.safetensors"
    assert read_tensors(kept, "slow-features checkpoint 1").description["progress"]["step"] == 4
    assert not (tmp_root / "x").exists()


def test_weights_that_are_not_finite_do_not_replace_a_checkpoint(tmp_root, monkeypatch):
    config = small_config()
    data = data_for(config)
    step = loop.train_step

    def exploding(session, number):
        losses = step(session, number)
        if number == 7:  # the last step before the second checkpoint
            next(session.model.parameters()).data.fill_(float("inf"))
        return losses

    monkeypatch.setattr(loop, "train_step", exploding)
    with pytest.raises(TrainingError, match="not finite after step 8"):
        training.train(config, data, tmp_root / "x", log=False)
    kept = paths.checkpoints() / training_identity(config) / "checkpoint.safetensors"
    assert read_tensors(kept, "slow-features checkpoint 1").description["progress"]["step"] == 4


@pytest.mark.parametrize("epochs", [1, 2])
@pytest.mark.parametrize("values", [(float("inf"), "not finite"), (3e19, "grown to 3e\\+19")])
def test_the_last_update_is_checked_like_the_others(epochs, values, tmp_root, monkeypatch):
    config = small_config("VICReg", f"vicreg.epochs={epochs}")
    data = data_for(config)
    step = loop.train_step

    def exploding(session, number):
        losses = step(session, number)
        if number == 4 * epochs - 1:
            next(session.model.parameters()).data.fill_(values[0])
        return losses

    monkeypatch.setattr(loop, "train_step", exploding)
    with pytest.raises(TrainingError, match=f"{values[1]}.* after step {4 * epochs}"):
        training.train(config, data, tmp_root / "x", log=False)
    assert not (tmp_root / "x").exists()
    kept = paths.checkpoints() / training_identity(config) / "checkpoint.safetensors"
    assert kept.exists() == (epochs > 1)


def test_a_rate_far_too_high_ends_with_one_line(tmp_root):
    config = small_config("VICReg", "vicreg.base_lr=1000", "vicreg.epochs=2")
    with pytest.raises(TrainingError, match=r"step \d; the last good checkpoint"):
        training.train(config, data_for(config), tmp_root / "x", log=False)


def test_results_that_do_not_fit_on_the_disk_cost_no_step(tmp_root, monkeypatch):
    config = small_config()
    data = data_for(config)
    training.train(config, data, tmp_root / "whole", log=False)
    with monkeypatch.context() as patch:
        patch.setattr(training, "save_weights", disk_is_full)
        with pytest.raises(MachineError, match="No space left"):
            training.train(config, data, tmp_root / "again", log=False)
        patch.undo()
        patch.setattr(loop, "train_step", None)  # no step is left to do
        training.train(config, data, tmp_root / "again", log=False)
    assert contents(tmp_root / "whole") == contents(tmp_root / "again")


def disk_is_full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_damaged_checkpoint_is_set_aside(tmp_root, capfd):
    config = small_config()
    data = data_for(config)
    training.train(config, data, tmp_root / "whole", log=False)
    file = paths.checkpoints() / training_identity(config) / "checkpoint.safetensors"
    file.parent.mkdir()
    file.write_bytes(b"half a checkpoint")
    capfd.readouterr()
    training.train(config, data, tmp_root / "again", log=False)
    first = capfd.readouterr().err.splitlines()[0]
    assert first.startswith(f"warning: {file}: not a sound safetensors file")
    assert first.endswith("kept as checkpoint.damaged, starting afresh")
    assert contents(tmp_root / "whole") == contents(tmp_root / "again")


def test_without_file_handles_a_sound_file_is_not_called_damaged(tmp_root):
    config = small_config()
    data = data_for(config)
    training.train(config, data, tmp_root / "a", log=False)
    for file, read in (
        (tmp_root / "a" / "model.safetensors", lambda file: read_tensors(file, FORMAT)),
        (data.folder / "train.start.npy", lambda file: map_array(file, (None, 1, 2))),
        (data.folder / "manifest.json", lambda file: Manifest.read(file.parent)),
    ):
        with no_handle_left(), pytest.raises(OSError, match="Too many open files"):
            read(file)
        read(file)


@contextmanager
def no_handle_left():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_curve_survives_a_checkpoint_in_the_middle_of_a_window():
    """Rows are means over windows; a window that a stop cuts goes on after the resume."""
    values = [0.1, 0.2, 0.7, 1e-8]
    whole, first = Window(), Window()
    for value in values:
        whole.add({"loss": torch.tensor(value)})
    for value in values[:2]:
        first.add({"loss": torch.tensor(value)})
    resumed = Progress.from_dict(Progress(step=2, window=first).as_dict())
    for value in values[2:]:
        resumed.window.add({"loss": torch.tensor(value)})
    assert resumed.window.close(4, 1.0) == whole.close(4, 1.0)


def test_weights_of_another_model_and_pickles_are_refused(tmp_root, tmp_path):
    config = small_config()
    training.train(config, data_for(config), tmp_root / "a", log=False)
    file = tmp_root / "a" / "model.safetensors"
    other = small_config("VICReg", "vicreg.embedding_size=8")
    with pytest.raises(InputError, match="the model of this configuration has"):
        load_weights(file, build_model(other, torch.device("cpu")))
    pickled = tmp_path / "evil.safetensors"
    torch.save({"a": torch.zeros(2)}, pickled)
    truncated = tmp_path / "cut.safetensors"
    truncated.write_bytes(file.read_bytes()[:-100])
    for bad in (pickled, truncated, tmp_path / "none.safetensors"):
        with pytest.raises(InputError, match=bad.name):
            load_weights(bad, build_model(config, torch.device("cpu")))


def test_weights_carry_where_they_come_from(tmp_root):
    config = small_config()
    data = data_for(config)
    training.train(config, data, tmp_root / "a", log=False)
    description = read_tensors(tmp_root / "a" / "model.safetensors", FORMAT).description
    assert description["settings"]["vicreg"]["embedding_size"] == 16
    assert description["data_checksum"] == data.checksum_for(NoiseSetting.from_config(config))
    assert description["noise_source"] == "uniform"
    assert not {"git_revision", "seconds", "machine"} & description.keys(), "other bytes each run"


def test_what_differs_from_run_to_run_lies_in_a_file_of_its_own(tmp_root):
    config = small_config()
    training.train(config, data_for(config), tmp_root / "a", log=False)
    run = RunRecord.model_validate_json((tmp_root / "a/run.json").read_bytes())
    assert (run.device, run.threads, run.arithmetic) == ("cpu", 1, "float32")
    assert run.seconds > 0 and run.sequences_per_second > 0
    assert run.machine["cpu"] and run.packages["torch"]
    assert datetime.datetime.fromisoformat(run.started) < datetime.datetime.now(datetime.UTC)
    assert run.taken_over == []


@pytest.mark.parametrize(("there", "used"), [(True, "bfloat16"), (False, "float32")])
def test_a_run_names_the_arithmetic_that_auto_came_to(there, used, tmp_root, monkeypatch):
    monkeypatch.setattr(machine, "has_bfloat16", lambda device: there)
    config = small_config("VICReg", "precision=auto", "vicreg.epochs=1")
    training.train(config, data_for(config), tmp_root / "a", log=False)
    assert read_run(tmp_root / "a/run.json").arithmetic == used
    summary = read_summary(tmp_root / "a")
    assert (summary.settings["precision"], summary.identity) == ("auto", training_identity(config))


def test_the_summary_knows_the_weights(tmp_root):
    config = small_config()
    training.train(config, data_for(config), tmp_root / "a", log=False)
    content = read_tensors(tmp_root / "a/model.safetensors", FORMAT)
    summary = read_summary(tmp_root / "a")
    assert summary.weights_checksum == checksum(content.tensors)
    assert summary.settings == content.description["settings"]
    assert (summary.steps, summary.sequences) == (12, 12 * 16)
    assert summary.final == read_curve(tmp_root / "a/curves.csv")[-1]


def test_a_trained_model_moved_and_a_fresh_one_did_not(tmp_root):
    session = start_session(small_config(), data_for(small_config()))
    initial = build_model(session.config, session.device)
    assert set(weights_moved(initial, initial).values()) == {0.0}
    loop.train_step(session, 5)
    moved = weights_moved(session.model, initial)
    assert moved.keys() == {"encoder", "predictor"} and min(moved.values()) > 0
    assert isinstance(session.model, nn.Module)


def test_no_such_device_is_named():
    with pytest.raises(Exception, match="device = cuda: not on this machine"):
        choose_device("cuda") if not torch.cuda.is_available() else pytest.skip("there is CUDA")
