"""The record of a search in git: every trial, the best of them, and what was searched.

Nothing here needs what runs trials, so that a page that reads records does not depend on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from slow_features import paths
from slow_features.data.geometry import DOTS
from slow_features.errors import InputError
from slow_features.grid.config_files import searched_file

OBJECTIVE = "rmse_px"  # the metric that a study makes small, of the validation sequences
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
