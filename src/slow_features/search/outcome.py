"""What a search leaves in git: its trials, and the best of them as a file that a cell can take.

results/search/STUDY/MODEL.json has all trials; reproduce_configs/searched/ has the best, under the
name that the published file of the same setting has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from slow_features import paths
from slow_features.config.yaml_text import write_yaml_text
from slow_features.data.geometry import DOTS
from slow_features.errors import InputError
from slow_features.files import write_json, write_text
from slow_features.grid.cells import searched_file, settings_of
from slow_features.grid.plan import sequences_of
from slow_features.models.registry import section_name
from slow_features.search.definition import Study
from slow_features.search.trials import OBJECTIVE, Trial, study_identity

FORMAT = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TrialRecord(_Record):
    """One trial: what was drawn, its errors on the validation sequences (none: it diverged)."""

    drawn: dict[str, bool | int | float | str]
    errors: dict[str, float]

    @property
    def error_px(self) -> float | None:
        """The RMSE on rollouts of the validation sequences, px; None where it diverged."""
        return self.errors.get(OBJECTIVE)


class SearchRecord(_Record):
    """Content of results/search/STUDY/MODEL.json.

    identity: see `study_identity`. base: the file of the settings that were not drawn. sequences:
    of a training; n_steps: their frames. best: number of the trial with the smallest error, None
    where every one diverged. evaluation: its errors on the sequences of the evaluation.
    """

    format: int = FORMAT
    identity: str
    study: str
    model_type: str
    family: str
    alpha: str
    sampler: str
    seed: int
    scale: str
    base: str
    sequences: int
    n_steps: int
    space: dict[str, dict[str, Any]]
    trials: list[TrialRecord]
    best: int | None
    evaluation: dict[str, float]

    @property
    def in_words(self) -> str:
        """How the best was found: the group of every run with its settings."""
        return f"best of {len(self.trials)} trials, study {self.study}"

    @property
    def dots(self) -> list[str]:
        """The dots that have errors of their own."""
        return [dot for dot in DOTS if f"{OBJECTIVE}_{dot}" in self.evaluation]

    def summary(self) -> str:
        """Return in a line what the search found, and where its best lies."""
        name = f"{self.study}, {self.model_type}: {len(self.trials)} trials"
        if self.best is None:
            return f"{name}, all of which diverged"
        best, drawn = self.trials[self.best], []
        drawn = ", ".join(
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in best.drawn.items()
        )
        return (
            f"{name}, best number {self.best}: {best.error_px:.2f} px on the validation sequences, "
            f"{self.evaluation[OBJECTIVE]:.2f} px on the evaluation's ({drawn}); "
            f"{searched_file(self.family, self.alpha, self.model_type)}"
        )


def record_file(study: str, model_type: str) -> Path:
    """Return where git has the trials of a study."""
    return paths.SEARCHES / study / f"{model_type}.json"


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


def read_record(file: Path) -> SearchRecord:
    """Read the record of a search. Raises InputError when it is missing or damaged."""
    try:
        return SearchRecord.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; run stages/search.py first") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise InputError(f"{file}: not as it was written ({where}: {first['msg']})") from None


def read_records() -> list[SearchRecord]:
    """Return the records of all searches in git, by study and model type. Raises InputError."""
    return [read_record(file) for file in sorted(paths.SEARCHES.glob("*/*.json"))]


def recorded_trials(study: Study) -> list[Trial]:
    """Return the trials that git has of a study, none where its record is of another one."""
    file = record_file(study.name, study.model_type)
    if not file.exists() or (record := read_record(file)).identity != study_identity(study):
        return []
    return [
        Trial(study, number, trial.drawn, trial.errors, diverged=not trial.errors)
        for number, trial in enumerate(record.trials)
    ]
