"""Finished cells by what they are: a hash of settings, data and code, outside DVC's outputs.

DVC removes a stage's outputs before it runs the stage; the store outlives that, so a finished
cell is never computed again. It lies in the main checkout, for all copies that DVC works in.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from slow_features import paths
from slow_features.config.schema import Experiment
from slow_features.data.store import StoredDataset
from slow_features.training.identity import code_version, identity

CODE_OF_PROBE = ("data", "losses", "models", "probe", "training")


@dataclass(frozen=True)
class StoredCell:
    """Where a cell's training and its evaluation lie in the store, finished or not."""

    identity: str
    train: Path
    probe: Path

    def lock(self) -> FileLock:
        """Return the lock of whoever makes the cell."""
        self.train.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.train.parent / "lock")

    @property
    def trained(self) -> bool:
        """Whether the training is finished; its folder appears whole or not at all."""
        return self.train.is_dir()

    @property
    def probed(self) -> bool:
        """Whether the evaluation is finished."""
        return self.probe.is_dir()

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.trained and self.probed


def stored(config: Experiment, dataset: StoredDataset, adam_probe: bool) -> StoredCell:
    """Return the places of a cell in the store."""
    name = identity(config, dataset)
    home = paths.cells() / name
    return StoredCell(name, home / "train", home / f"probe-{_probe_identity(config, adam_probe)}")


def _probe_identity(config: Experiment, adam_probe: bool) -> str:
    record = {
        "settings": config.probing_cfg.model_dump(),
        "sizes": [config.val_dataset_size, config.val_n_steps],
        "adam_probe": adam_probe,
        "code": code_version(CODE_OF_PROBE),
    }
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def hand_out(finished: Path, target: Path) -> None:
    """Copy a finished folder to where DVC expects it; DVC may then replace its files by links."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(finished, target)
