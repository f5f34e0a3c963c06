"""One MLflow run for each trial of a study, filled in from the store of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace

from slow_features import tracking
from slow_features.errors import MachineError
from slow_features.results.files import WEIGHTS_FILE
from slow_features.results.model_card import CARD_FILE
from slow_features.results.track import entry_of
from slow_features.search.definition import Study, studies_of, study_names
from slow_features.search.outcome import recorded_trials
from slow_features.search.trials import Trial
from slow_features.tracking import Entry


def track_searches() -> int:
    """Give every trial in git that this machine has run its run; return how many were written.

    Idempotent. Raises as `studies_of` and `tracking.backfill`.
    """
    return track_studies(study for name in study_names() for study in studies_of(name))


def track_studies(studies: Iterable[Study]) -> int:
    """Do the same for some studies: their runs share the tag `study`."""
    return tracking.backfill(entry for study in studies for entry in _entries(study))


def log_studies(studies: Iterable[Study]) -> None:
    """Do the same; a store that does not work costs one line and nothing else."""
    try:
        track_studies(studies)
    except MachineError as error:
        print(f"warning: {error}; the trials are complete without it", file=sys.stderr)


def _entries(study: Study) -> Iterator[Entry]:
    for trial in recorded_trials(study):
        if trial.cell.finished:
            yield _entry(trial)


def _entry(trial: Trial) -> Entry:
    """Describe the run of a trial; its metrics are those of the validation sequences."""
    study, cell = trial.study, trial.cell
    family, alpha = study.definition.family, study.definition.alpha
    tags = {
        "study": study.name,
        "trial": str(trial.number),
        "setting": f"{family} {alpha}",
        "variant": f"trial {trial.number}",
    }
    entry = entry_of(cell.config, "search", cell.place, tags)
    small = tuple(file for file in entry.artifacts if file.name != WEIGHTS_FILE)
    texts = {name: text for name, text in entry.texts.items() if name != CARD_FILE}
    return replace(
        entry,
        identity=f"{entry.identity}-{study.name}-trial{trial.number}",
        artifacts=small,
        texts=texts,
    )
