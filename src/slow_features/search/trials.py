"""A study's trials, proposed by Optuna and kept in Optuna's storage.

What a trial draws depends on the sampler's seed, the trial's number and, with `tpe`, on the trials
of earlier generations: not on how many run at once, nor on what was killed in between.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from slow_features import paths
from slow_features.errors import MachineError
from slow_features.locks import only_one
from slow_features.results.store import StoredCell
from slow_features.search.definition import Choices, Study
from slow_features.search.record import OBJECTIVE
from slow_features.tracking.sink import reason

if TYPE_CHECKING:  # Optuna takes a second to be imported
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

_GENERATION = 4  # trials that `tpe` proposes at once; `random` proposes all


@dataclass(frozen=True)
class Trial:
    """One trial: its number, what was drawn by the key of its setting, and how it ended.

    errors: the metrics of the validation sequences, as metrics.json names them; empty where the
    training diverged or has not ended.
    """

    study: Study
    number: int
    drawn: dict[str, Any]
    errors: dict[str, float]
    diverged: bool = False

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to run."""
        return self.diverged or bool(self.errors)

    @property
    def error_px(self) -> float:
        """What the study makes small: the RMSE on rollouts of the validation sequences, px."""
        return self.errors[OBJECTIVE]

    @cached_property
    def cell(self) -> StoredCell:
        """The trial as the store knows it."""
        return StoredCell(self.study.trial_config(self.drawn))

    @property
    def name(self) -> PurePath:
        """Its name in logs and in progress."""
        return PurePath(f"search-{self.study.name}", self.study.model_type, f"trial{self.number}")


class Storage:
    """All studies of this checkout, in an SQLite file that Optuna's own tools read, too.

    Optuna keeps one number of a trial; all its errors are an attribute of the study.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage

    def trials(self, study: Study) -> list[Trial]:
        """Return the trials of a study as far as they were proposed, in order."""
        from optuna.trial import TrialState

        kept = self._open(study)
        errors = kept.user_attrs
        return [
            Trial(
                study,
                t.number,
                t.params,
                errors[str(t.number)] if t.state == TrialState.COMPLETE else {},
                t.state == TrialState.FAIL,
            )
            for t in kept.get_trials(deepcopy=False)[: study.definition.trials]
        ]

    def add(self, trial: Trial) -> None:
        """Keep a trial, whole or not at all."""
        study = self._open(trial.study)
        study.set_user_attr(str(trial.number), trial.errors)
        study.add_trial(_frozen(trial))

    def tell(self, trial: Trial, errors: dict[str, float] | None) -> None:
        """Keep the errors of a trial that has ended; None for one that diverged."""
        from optuna.trial import TrialState

        study = self._open(trial.study)
        if errors is None:
            study.tell(trial.number, state=TrialState.FAIL)
            return
        study.set_user_attr(str(trial.number), errors)
        study.tell(trial.number, errors[OBJECTIVE])

    def _open(self, study: Study) -> Any:
        import optuna

        name = study_identity(study)
        return optuna.create_study(storage=self._storage, study_name=name, load_if_exists=True)


def study_identity(study: Study) -> str:
    """Return a name for a study and all that its trials depend on, which is in it as a hash.

    The number of trials is no part of it, so that a study can be given more.
    """
    base = StoredCell(study.trial_config({})).evaluation
    space = {key: values.model_dump() for key, values in study.space.items()}
    record = [base, space, study.definition.sampler, study.definition.seed]
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:12]
    return f"{study.name}-{study.model_type}-{digest}"


@contextmanager
def open_storage() -> Iterator[Storage]:
    """Open the storage of all studies, for this process alone. Raises MachineError."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file = paths.cells() / "studies.db"
    with only_one(file.with_suffix(".lock"), "another search is at work in this checkout"):
        try:
            yield Storage(optuna.storages.RDBStorage(f"sqlite:///{file}"))
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            raise MachineError(
                f"{file}: {reason(error)}; if it is damaged, delete it: trials that have run are "
                "found again"
            ) from None


def generation_size(study: Study) -> int:
    """Return how many trials are proposed at once."""
    return _GENERATION if study.definition.sampler == "tpe" else study.definition.trials


def propose(study: Study, there: Sequence[Trial]) -> dict[str, Any]:
    """Return what Optuna's sampler draws for the next trial.

    there: the trials before it. How those of its own generation ended is not looked at, since
    that depends on how many run at once. A sampler of its own for each trial, seeded by its number,
    draws the same whenever it is asked.
    """
    import optuna

    first = len(there) - len(there) % generation_size(study)
    seed = hashlib.sha256(f"{study.definition.seed} {study.model_type} {len(there)}".encode())
    samplers = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
    sampler = samplers[study.definition.sampler](seed=int.from_bytes(seed.digest()[:4]))
    imagined = optuna.create_study(sampler=sampler)
    beside = [Trial(study, t.number, t.drawn, {}) for t in there[first:]]
    imagined.add_trials([_frozen(trial) for trial in (*there[:first], *beside)])
    return imagined.ask(_distributions(study)).params


def _frozen(trial: Trial) -> FrozenTrial:
    """Return a trial as Optuna has it."""
    from optuna.trial import TrialState, create_trial

    ended = TrialState.FAIL if trial.diverged else TrialState.COMPLETE
    return create_trial(
        state=ended if trial.ended else TrialState.RUNNING,
        value=trial.error_px if trial.errors else None,
        params=trial.drawn,
        distributions=_distributions(trial.study),
    )


def _distributions(study: Study) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    return {
        key: CategoricalDistribution(values.choices)
        if isinstance(values, Choices)
        else FloatDistribution(values.low, values.high, log=values.log)
        for key, values in study.space.items()
    }
