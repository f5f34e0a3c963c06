"""Weights and checkpoints that lie are refused: by chance, as in bad_input.py, or by a forger.

A forger makes the checksum that the file carries fit what was put in.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
from pathlib import Path

import pytest
import torch

from slow_features import paths
from slow_features.errors import InputError, InterruptError
from slow_features.training import loop
from slow_features.training.checkpoint import FORMAT as CHECKPOINT
from slow_features.training.checkpoint import load_checkpoint
from slow_features.training.identity import identity
from slow_features.training.session import start_session
from slow_features.training.train import WEIGHTS_FILE, train
from slow_features.weights import FORMAT, load_weights, read_tensors, write_tensors
from tests.bad_input import TENSORS, sound_project


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A finished training, and the checkpoint of one that was stopped after three steps."""
    folder = tmp_path_factory.mktemp("stopped")
    with sound_project(folder) as (config, data, patch):
        train(config, data, folder / "train", log=False)
        step = loop.train_step

        def stopping_step(session, number):
            if number == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return step(session, number)

        patch.setattr(loop, "train_step", stopping_step)
        with pytest.raises(InterruptError):
            train(config, data, folder / "stopped", log=False)
        name = identity(config, data)
        shutil.copy(paths.checkpoints() / name / "checkpoint.safetensors", folder)
    return folder, config, data, name


def first(tensors: dict) -> str:
    """Return the name of the first tensor of more than one number."""
    return next(name for name in sorted(tensors) if tensors[name].numel() > 1)


FORGERIES = {  # what a forger does to the tensors; the checksum is that of the result
    "another name": lambda t: t.update(other=t.pop(first(t))),
    "a name of Python": lambda t: t.update({"__class__.__init__": t.pop(first(t))}),
    "one tensor less": lambda t: t.pop(first(t)),
    "none at all": lambda t: t.clear(),
    "one number more": lambda t: t.update({first(t): torch.zeros(t[first(t)].numel() + 1)}),
    "another shape": lambda t: t.update({first(t): t[first(t)].reshape(-1, 1, 1, 1, 1)}),
    "another type": lambda t: t.update({first(t): t[first(t)].double()}),
    "whole numbers": lambda t: t.update({first(t): t[first(t)].int()}),
    "empty": lambda t: t.update({first(t): torch.zeros(0)}),
}
NOT_FINITE = {
    "infinite": lambda t: t.update({first(t): t[first(t)] / 0}),
    "squares infinite": lambda t: t.update({first(t): torch.full_like(t[first(t)], 1e30)}),
}


@pytest.mark.parametrize("forgery", [*FORGERIES, *NOT_FINITE])
def test_forged_weights_are_refused(forgery, stopped, tmp_path):
    folder, config, data, _ = stopped
    content = read_tensors(folder / "train" / WEIGHTS_FILE, FORMAT)
    check_forged(forgery, content, tmp_path, lambda file: load_weights(
        file, start_session(config, data).model))  # fmt: skip


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_checkpoints_are_refused(forgery, stopped, tmp_path):
    folder, config, data, name = stopped
    content = read_tensors(folder / "checkpoint.safetensors", CHECKPOINT)
    check_forged(forgery, content, tmp_path, lambda file: resume(file, config, data, name))


def check_forged(forgery, content, folder, read):
    """Check that the sound file is read and the forged one refused, in one line, with code 2."""
    file = folder / "forged.safetensors"
    write_tensors(file, dict(content.tensors), content.description)
    read(file)
    tensors = dict(content.tensors)
    (FORGERIES | NOT_FINITE)[forgery](tensors)
    write_tensors(file, tensors, content.description)
    check_refused(file, read)


def check_refused(file, read):
    with pytest.raises(InputError) as error:
        read(file)
    assert error.value.exit_code == 2
    assert str(error.value).startswith(f"{file}: ") and str(error.value).isprintable()


def resume(file, config, data, name):
    session = start_session(config, data)
    return load_checkpoint(file, name, session.model, session.optimisation.optimizer)


@pytest.mark.parametrize("damage", TENSORS)
def test_a_checkpoint_that_lies_is_refused(damage, stopped, tmp_path):
    """What bad_input.py does to weights, done to a checkpoint."""
    folder, config, data, name = stopped
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(TENSORS[damage][0]((folder / "checkpoint.safetensors").read_bytes()))
    check_refused(file, lambda file: resume(file, config, data, name))


PROGRESS = {  # descriptions of a checkpoint that its tensors do not contradict
    "of another training": {"identity": "other"},
    "no progress": {"progress": None},
    "progress a list": {"progress": []},
    "step a text": {"progress": {"step": "__import__('os')", "curve": [], "seconds": 0.0}},
    "step negative": {"progress": {"step": -1, "curve": [], "seconds": 0.0}},
}


@pytest.mark.parametrize("lie", PROGRESS)
def test_a_checkpoint_whose_description_lies_is_refused(lie, stopped, tmp_path):
    folder, config, data, name = stopped
    content = read_tensors(folder / "checkpoint.safetensors", CHECKPOINT)
    file = tmp_path / "checkpoint.safetensors"
    write_tensors(file, content.tensors, content.description | PROGRESS[lie])
    check_refused(file, lambda file: resume(file, config, data, name))


class Pwns:
    """Makes a file when it is unpickled."""

    def __reduce__(self):
        return (open, ("pwned", "w"))


def test_a_pickle_is_never_unpickled(stopped, tmp_path, monkeypatch):
    """One that would make a file, under the names of weights and of a checkpoint."""
    _, config, data, name = stopped
    monkeypatch.chdir(tmp_path)
    for content in (pickle.dumps(Pwns()), torch_file(tmp_path)):
        Path("a.safetensors").write_bytes(content)
        check_refused(Path("a.safetensors"), lambda file: resume(file, config, data, name))
        check_refused(Path("a.safetensors"), lambda file: read_tensors(file, FORMAT))
    assert not Path("pwned").exists()
    pickle.loads(pickle.dumps(Pwns()))  # it would have
    assert Path("pwned").exists()


def torch_file(folder: Path) -> bytes:
    """Return what torch.save makes of the same."""
    torch.save(Pwns(), folder / "a.pt")
    return (folder / "a.pt").read_bytes()
