"""What searches.yaml may hold: spaces that settings are drawn from, and studies that draw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    ValidationError,
    model_validator,
)

from slow_features.config.load import read_yaml, validate
from slow_features.config.schema import Experiment
from slow_features.errors import InputError, shorten
from slow_features.grid.cells import Cell, budgeted_cell
from slow_features.grid.definition import Different, Family, Level, ModelType, Seed
from slow_features.models.registry import MODELS, section_name

SEARCHES_FILE = Path("searches.yaml")
TRAINING_SEED = 1  # of every trial: published runs start at 1
_TOP_LEVEL = ("dataset_batch_size",)  # the one setting outside the model's section


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Range(_Part):
    """Numbers from `low` to `high`; with `log` their logarithm is drawn evenly."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.low < self.high:
            raise ValueError("high should be above low")
        if self.log and self.low <= 0:
            raise ValueError("low should be above 0 where log is true")
        return self

    def ends(self) -> tuple[float, float]:
        """Return two values between which every drawn one lies."""
        return self.low, self.high


class Choices(_Part):
    """Some values, each as likely as the others."""

    choices: Annotated[list[StrictBool | int | float | str], Field(min_length=1)]

    def ends(self) -> tuple[Any, ...]:
        """Return every value that may be drawn."""
        return tuple(self.choices)


def _kind(values: Any) -> str:
    return "choices" if isinstance(values, dict) and "choices" in values else "range"


Values = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_kind)
]
Space = dict[str, Values]  # by the key of a setting


class StudyDefinition(_Part):
    """One entry of `studies`, as the head of searches.yaml explains it.

    scale: of the grid; its budgets and settings are the trials'. trials: of each model type.
    sampler: random, the published protocol; or tpe, which learns from the trials before.
    seed: of the sampler.
    """

    models: Annotated[Different[ModelType], Field(min_length=1)]
    family: Family
    alpha: Level
    space: str
    scale: str = "quick"
    trials: Annotated[int, Field(ge=1, le=10_000)]
    sampler: Literal["random", "tpe"] = "random"
    seed: Seed = 1


class Searches(_Part):
    """All of searches.yaml."""

    spaces: dict[str, dict[ModelType, Annotated[Space, Field(min_length=1)]]]
    studies: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")], StudyDefinition]


@dataclass(frozen=True)
class Study:
    """The search of one model type in one noise setting: name, space, and the cell to start from.

    base: the published cell of that setting at the study's budget, of which a trial changes the
    settings of the space.
    """

    name: str
    model_type: str
    definition: StudyDefinition
    space: Space
    base: Cell

    def trial_config(self, drawn: dict[str, Any]) -> Experiment:
        """Return the settings of a trial, judged on the validation sequences. Raises InputError."""
        return validate(self.changed(drawn, measured_on="validation"))

    def changed(self, drawn: dict[str, Any], measured_on: str = "evaluation") -> dict[str, Any]:
        """Return the nested settings of the base with those that were drawn."""
        settings = self.base.config.model_dump()
        for key, value in drawn.items():
            top = key in _TOP_LEVEL
            (settings if top else settings[section_name(self.model_type)])[key] = value
        settings["probing_cfg"]["measured_on"] = measured_on
        return settings


def studies_of(name: str, file: Path = SEARCHES_FILE) -> list[Study]:
    """Return the searches of a study, one for each of its model types, complete and checked.

    Raises InputError when there is no such study, and for what is wrong in the file: every end of
    every range has to be a setting that a training can have.
    """
    searches = _read(file)
    if name not in searches.studies:
        raise InputError(f"study {shorten(name)}: allowed: {', '.join(searches.studies)} ({file})")
    definition = searches.studies[name]
    spaces, where = searches.spaces.get(definition.space), f"{file}: studies.{name}"
    if spaces is None:
        raise InputError(
            f"{where}.space = {definition.space!r}: allowed: {', '.join(searches.spaces)}"
        )
    without = [m for m in definition.models if m not in spaces or not MODELS[m].trains]
    if without:
        raise InputError(f"{where}.models: space {definition.space} has none for {without[0]}")
    found = [_study(name, model, definition, spaces[model]) for model in definition.models]
    for study in found:
        _check_ends(study, f"{file}: spaces.{definition.space}.{study.model_type}")
    return found


def study_names(file: Path = SEARCHES_FILE) -> list[str]:
    """Return the names of all studies; none where there is no such file. Raises InputError."""
    return [*_read(file).studies] if file.exists() else []


def _study(name: str, model_type: str, definition: StudyDefinition, space: Space) -> Study:
    base = budgeted_cell(
        definition.scale, definition.family, definition.alpha, model_type, TRAINING_SEED
    )
    return Study(name, model_type, definition, space, base)


def _check_ends(study: Study, where: str) -> None:
    """Refuse a key or a value that a trial could not have, before any trial is run."""
    for key, values in study.space.items():
        for value in values.ends():
            try:
                study.trial_config({key: value})
            except InputError as error:
                raise InputError(f"{where}.{key}: {error}") from None


def _read(file: Path) -> Searches:
    """Read searches.yaml. Raises InputError for the first thing that is wrong in it."""
    content = read_yaml(file, max_depth=5)
    try:
        return Searches.model_validate(_with_whole_numbers_as_floats(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        loc = [str(part) for part in first["loc"]]
        place = ".".join(p for i, p in enumerate(loc) if p != "[key]" and not _is_tag(loc, i))
        what = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{file}: {place} = {shorten(first['input'])}: {what[0].lower() + what[1:]}"
        ) from None


def _is_tag(loc: list[str], i: int) -> bool:
    """Return whether a part of an error's place is no key: spaces.NAME.MODEL.KEY.TAG."""
    return i == 4 and loc[0] == "spaces"


def _with_whole_numbers_as_floats(content: Any) -> Any:
    """Let `high: 16` be a number of a range; nothing else takes an integer for a float."""
    if isinstance(content, dict):
        return {
            key: float(value)
            if key in ("low", "high") and type(value) is int and math.isfinite(value)
            else _with_whole_numbers_as_floats(value)
            for key, value in content.items()
        }
    return content
