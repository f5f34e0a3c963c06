"""`dvc repro` and `make reproduce`: killed or stopped, the same command goes on.

With the clone of the pipeline's tests, and its commands as a user types them.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys

import pytest

from tests.killed import SURVIVED, recorded
from tests.stage_processes import Process, is_alive, wait_until
from tests.test_pipeline import environment, make_clone, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
REPRO = [sys.executable, "-m", "dvc", "repro", "experiment-probe"]
REPRODUCE = [sys.executable, "stages/reproduce.py"]
IDENTITY = """
from slow_features.config.load import load_config
from slow_features.results.store import StoredCell
print(StoredCell(load_config(["params.yaml"]).config).identity)
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with a training of some seconds, its data set written by DVC."""
    folder = make_clone(tmp_path_factory.mktemp("clone") / "whole")
    file = folder / "params.yaml"
    longer = file.read_text().replace("\n  epochs: 1\n", "\n  epochs: 40\n")
    assert longer.count("epochs: 40") == 4  # all that train but Supervised
    file.write_text(longer)
    run(folder, "dvc", "repro", "-q", "experiment-data")
    return folder


@pytest.fixture(scope="module")
def whole_outputs(clone):
    """What the pipeline makes when nobody kills it."""
    folder = shutil.copytree(clone, clone.parent / "never", symlinks=True)
    run(folder, "dvc", "repro", "-q", "experiment-probe")
    return recorded(folder)


@pytest.fixture(scope="module")
def checkpoint(clone):
    """Where the experiment's checkpoint lies: `reproduce.py` trains cells of the grid before it."""
    identity = run(clone, sys.executable, "-c", IDENTITY).stdout.strip()
    return f".checkpoints/{identity}/checkpoint.safetensors"


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (REPRO, signal.SIGKILL), (REPRO, signal.SIGTERM), (REPRO, signal.SIGINT),
        (REPRODUCE, signal.SIGKILL), (REPRODUCE, signal.SIGTERM), (REPRODUCE, signal.SIGINT),
    ],
    ids=["dvc-KILL", "dvc-TERM", "dvc-INT", "reproduce-KILL", "reproduce-TERM", "reproduce-INT"],
)  # fmt: skip
def test_dvc_stopped_or_killed(
    line, number, clone, checkpoint, whole_outputs, tmp_path, record_property
):
    """Its stage keeps a checkpoint and ends; `dvc repro` goes on, with no lock to be deleted."""
    folder = shutil.copytree(clone, tmp_path / "clone", symlinks=True)
    main = Process(folder, line, environment(folder))
    wait_until((folder / checkpoint).exists, seconds=300)
    family = main.descendants()
    if (line, number) == (REPRO, signal.SIGINT):
        os.killpg(main.pid, number)  # as Ctrl-C in a terminal, which reaches the whole group
        code = main.wait()
    else:
        code = main.kill(number)
    assert code == (128 + number if line is REPRODUCE and number != signal.SIGKILL else code)
    assert code != 0
    wait_until(lambda: not any(is_alive(process) for process in family), seconds=60)
    again = run(folder, "dvc", "repro", "experiment-probe")
    assert "going on from step" in again.stderr
    assert recorded(folder) == whole_outputs
    record_property(SURVIVED[number == signal.SIGKILL], 1)
