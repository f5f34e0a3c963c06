"""The store of finished cells, .cells/IDENTITY/: where results are made, once, and handed out.

DVC removes a stage's outputs before it runs the stage, and works in copies of the checkout; the
store outlives both. A folder appears in it whole, sealed with the checksum of every file. What is
found damaged is set aside and made again.
"""

from __future__ import annotations

import math
import shutil
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from slow_features import paths
from slow_features.config.schema import Experiment
from slow_features.data.cache import data_for
from slow_features.files import atomic_folder
from slow_features.identity import evaluation_identity, training_identity
from slow_features.locks import only_one
from slow_features.results import files
from slow_features.results.files import Place
from slow_features.results.gathered import restore


class CellIds(NamedTuple):
    """The names of a training and of its evaluation."""

    training: str
    evaluation: str


def place_of(training: str, evaluation: str) -> Place:
    """Return where a training and an evaluation of these identities lie in the store."""
    home = paths.cells() / training
    train = home / files.TRAIN
    return Place(train, home / f"{files.PROBE}-{evaluation}", train / files.RUN_FILE)


@dataclass(frozen=True)
class StoredCell:
    """One training and its evaluation, finished or not.

    adam_probe: evaluated with the published probe as well, beside the configured one.
    """

    config: Experiment
    adam_probe: bool = False

    @cached_property
    def identity(self) -> str:
        """Name of the training."""
        return training_identity(self.config)

    @cached_property
    def evaluation(self) -> str:
        """Name of the evaluation."""
        return evaluation_identity(self.config, self.adam_probe)

    @property
    def ids(self) -> CellIds:
        """Both names."""
        return CellIds(self.identity, self.evaluation)

    @cached_property
    def place(self) -> Place:
        """Where both lie in the store."""
        return place_of(*self.ids)

    @property
    def trained(self) -> bool:
        """Whether the training is finished; its folder appears whole or not at all."""
        return self.place.train.is_dir()

    @property
    def finished(self) -> bool:
        """Whether the evaluation is there as well."""
        return self.trained and self.place.probe.is_dir()

    def lock(self) -> AbstractContextManager[None]:
        """Hold the lock of whoever makes the cell; the kernel frees that of a killed process."""
        return only_one(
            self.place.train.parent / "lock", f"another process makes {self.identity}", math.inf
        )

    def train(self, log: bool = False) -> Place:
        """Train unless it is done; return where the training lies, every checksum compared.

        Weights that were gathered, as `dvc pull` brings them, are taken back and not trained again.
        log: to MLflow, while it trains. Raises as `training.train.train`.
        """
        with self.lock():
            if self._find():  # a kill between a result and the end leaves what it resumes from
                shutil.rmtree(paths.checkpoint(self.identity).parent, ignore_errors=True)
            else:
                from slow_features.training.train import train

                train(self.config, data_for(self.config), self.place.train, log)
        return self.place

    def find_weights(self) -> Path | None:
        """Return the file of weights, every checksum compared; None if it would have to be made."""
        with self.lock():
            return self.place.weights if self._find() else None

    def _find(self) -> bool:
        """Return whether the training is there, or can be taken back from gathered weights."""
        _set_aside_if_damaged(self.place.train)
        return self.trained or restore(self.identity, self.place.train)

    def make(self, step: str, log: bool = False) -> Place:
        """Do step "train", or "probe" and with it the training; only what is not done yet."""
        return self.train(log) if step == files.TRAIN else self.evaluate(log)

    def evaluate(self, log: bool = False) -> Place:
        """Train and evaluate, whichever is not done; return where both lie, checksums compared.

        Raises as `training.train.train` and `probe.evaluate.evaluate`.
        """
        self.train(log)
        with self.lock():
            _set_aside_if_damaged(self.place.probe)
            if not self.place.probe.is_dir():
                from slow_features.probe.stage import evaluate_weights

                with atomic_folder(self.place.probe) as beside:
                    evaluate_weights(self.config, self.place.weights, beside, self.adam_probe)
        return self.place


def _set_aside_if_damaged(folder: Path) -> None:
    """Rename a folder of the store in which a file is not as it was written, and say so."""
    if not folder.is_dir() or (name := files.damage(folder)) is None:
        return
    number = 1
    while (aside := folder.with_name(f"{folder.name}.damaged-{number}")).exists():
        number += 1
    folder.replace(aside)
    print(
        f"note: {folder / name} is not as it was written; the folder is now {aside.name}, "
        "and what was in it is made again",
        file=sys.stderr,
    )
