"""A search: all trials of a study on the grid's engine, then what it leaves for git."""

from __future__ import annotations

from collections.abc import Sequence

from slow_features.config.load import validate
from slow_features.errors import DIVERGED
from slow_features.grid.engine import State, failure_lines, print_progress, run_jobs
from slow_features.grid.machines import Machines
from slow_features.grid.reproduce import only_runner
from slow_features.grid.run import CellsFailedError, job_of, prepare_data, work_of
from slow_features.results.files import METRICS_FILE, PROBE, read_numbers
from slow_features.results.store import StoredCell
from slow_features.search.definition import Study, studies_of
from slow_features.search.outcome import best_of, recorded_trials, write_record
from slow_features.search.record import SearchRecord, read_record, record_file
from slow_features.search.track import log_studies
from slow_features.search.trials import Storage, Trial, generation_size, open_storage, propose


def search_named(name: str, machines: Machines) -> list[SearchRecord]:
    """Run what is left of a study of searches.yaml, and give its trials their runs in MLflow.

    Raises as `studies_of` and `search`; MachineError where another runner is at work here.
    """
    studies = studies_of(name)
    with only_runner():
        records = search(studies, machines)
    log_studies(studies)
    return records


def search(studies: Sequence[Study], machines: Machines) -> list[SearchRecord]:
    """Run what is left of a study; write the records of its model types, and the best of each.

    Trials that git has of the same study, as in a fresh clone, count as run.
    Raises as `run_trials`.
    """
    with open_storage() as storage:
        for study in studies:
            recorded = recorded_trials(study)[: study.definition.trials]
            for trial in recorded[len(storage.trials(study)) :]:
                storage.add(trial)
        run_trials(studies, storage, machines)
        return [_record(study, storage.trials(study)) for study in studies]


def _record(study: Study, trials: list[Trial]) -> SearchRecord:
    """Write the record of a search, with the best trial measured on the evaluation's sequences.

    What git has of it already is not computed again.
    """
    best, file = best_of(trials), record_file(study.name, study.model_type)
    if best is None:
        evaluation = {}
    elif len(recorded_trials(study)) == len(trials):
        evaluation = read_record(file).evaluation
    else:
        place = StoredCell(validate(study.changed(best.drawn))).evaluate()
        evaluation = read_numbers(place.probe / METRICS_FILE)
    return write_record(study, trials, evaluation)


def run_trials(studies: Sequence[Study], storage: Storage, machines: Machines) -> None:
    """Run all trials that have not ended, those of all model types side by side.

    Raises CellsFailedError, after all others have ended, for a trial that failed otherwise than by
    its numbers, and InterruptError after a stop; the same call goes on from there.
    """
    while under_way := [t for study in studies for t in _under_way(study, storage)]:
        _run(under_way, storage, machines)


def _under_way(study: Study, storage: Storage) -> list[Trial]:
    """Return the trials that have not ended; where all have, propose the next generation."""
    there = storage.trials(study)
    size = generation_size(study)
    if len(there) % size or all(trial.ended for trial in there):  # or killed while proposing
        ends = min((len(there) // size + 1) * size, study.definition.trials)
        for number in range(len(there), ends):
            trial = Trial(study, number, propose(study, there), {})
            storage.add(trial)
            there.append(trial)
    return [trial for trial in there if not trial.ended]


def _run(under_way: Sequence[Trial], storage: Storage, machines: Machines) -> None:
    """Run trials, the longest first; what the store has of them is not run again."""
    missing = [trial for trial in under_way if not trial.cell.finished]
    missing.sort(key=lambda trial: work_of(trial.cell.config), reverse=True)
    jobs = {trial.name: job_of(trial.name, trial.cell, PROBE) for trial in missing}
    if jobs:
        prepare_data(trial.cell.config for trial in missing)
    try:
        state = run_jobs([*jobs.values()], machines, print_progress) if jobs else State([])
    finally:
        for trial in under_way:
            job = jobs.get(trial.name)
            if trial.cell.finished:
                storage.tell(trial, read_numbers(trial.cell.place.probe / METRICS_FILE))
            elif job and job.return_code == DIVERGED:
                storage.tell(trial, None)
    state.failed = [job for job in state.failed if job.return_code != DIVERGED]
    if state.failed:
        lines = "\n  ".join(failure_lines(state))
        raise CellsFailedError(f"{len(state.failed)} trials failed:\n  {lines}")
