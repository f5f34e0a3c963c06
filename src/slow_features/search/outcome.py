"""What a search leaves in git: its trials, and the best of them as a file that a cell can take.

results/search/STUDY/MODEL.json has all trials; reproduce_configs/searched/ has the best, under the
name that the published file of the same setting has.
"""

from __future__ import annotations

from pathlib import Path

from slow_features.config.yaml_text import write_yaml_text
from slow_features.files import write_json, write_text
from slow_features.grid.config_files import searched_file, settings_of
from slow_features.grid.plan import sequences_of
from slow_features.models.registry import section_name
from slow_features.search.definition import Study
from slow_features.search.record import SearchRecord, TrialRecord, read_record, record_file
from slow_features.search.trials import Trial, study_identity


def best_of(trials: list[Trial]) -> Trial | None:
    """Return the trial with the smallest error, the first of several; None without any."""
    return min((t for t in trials if t.errors), key=lambda t: t.error_px, default=None)


def write_record(study: Study, trials: list[Trial], evaluation: dict[str, float]) -> SearchRecord:
    """Write the record of a search and the file of its best trial."""
    definition, config, best = study.definition, study.base.config, best_of(trials)
    record = SearchRecord(
        identity=study_identity(study),
        study=study.name,
        model_type=study.model_type,
        family=definition.family,
        alpha=definition.alpha,
        sampler=definition.sampler,
        seed=definition.seed,
        scale=definition.scale,
        base=study.base.source,
        sequences=sequences_of(config),
        n_steps=config.n_steps,
        space={key: values.model_dump() for key, values in study.space.items()},
        trials=[TrialRecord(drawn=t.drawn, errors=t.errors) for t in trials],
        best=None if best is None else best.number,
        evaluation=evaluation,
    )
    if best is not None:
        _write_best(study, best, record)
    write_json(record_file(study.name, study.model_type), record.model_dump())
    return record


def _write_best(study: Study, best: Trial, record: SearchRecord) -> None:
    """Write the settings of the best trial, as a published file has them."""
    config, section = study.base.config, section_name(study.model_type)
    settings = settings_of(Path(study.base.source), study.model_type)
    settings |= study.base.noise | {"n_steps": config.n_steps, "run_group": record.in_words}
    own = settings.pop(section, {}) | {"epochs": config.model.epochs}
    drawn = dict(best.drawn)
    settings["dataset_batch_size"] = drawn.pop("dataset_batch_size", config.dataset_batch_size)
    channels = {"channels": config.model.channels} if config.dots > 1 else {}
    content = settings | {section: own | channels | drawn}
    family, count = study.base.family.replace("_", " "), len(record.trials)
    text = (
        f"# {study.model_type}, {family}, alpha {study.base.alpha}: the best of {count} trials of\n"
        f"# {record.sequences:,} sequences ({record.sampler}, seed {record.seed}), "
        f"{best.error_px:.2f} px on the validation sequences.\n"
        f"# Written by `python stages/search.py {study.name}`; every trial is in\n"
        f"# {record_file(study.name, study.model_type)}. What was not drawn is that of\n"
        f"# {study.base.source}.\n"
    )
    file = searched_file(study.base.family, study.base.alpha, study.model_type)
    write_text(file, text + write_yaml_text(content))


def recorded_trials(study: Study) -> list[Trial]:
    """Return the trials that git has of a study, none where its record is of another one."""
    file = record_file(study.name, study.model_type)
    if not file.exists() or (record := read_record(file)).identity != study_identity(study):
        return []
    return [
        Trial(study, number, trial.drawn, trial.errors, diverged=not trial.errors)
        for number, trial in enumerate(record.trials)
    ]
