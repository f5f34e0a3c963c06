"""What a scale of grids.yaml may hold, checked before anything is made of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from slow_features.errors import InputError, shorten
from slow_features.models.registry import MODELS, section_name

ModelType = Literal[tuple(MODELS)]
Family = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
Level = Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4})?$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
# What a cell is: its name says it, so no setting of a scale may say otherwise.
_CELLS_OWN = (
    "model_type", "seed", "dataset_type", "dataset_noise", "dataset_static_noise",
    "dataset_structured_noise", "eval_only", "load_checkpoint_path",
)  # fmt: skip


def _check_different(values: list[Any]) -> list[Any]:
    """Refuse a value that is there twice: it would make twin cells. "1.5" and "1.50" are one."""
    different = {float(v) if str(v)[0].isdigit() else v for v in values}
    if len(different) < len(values):
        raise ValueError("should have no value twice")
    return values


def _check_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Refuse settings that a cell has from its name, or from its model's file and budget."""
    taken = {*_CELLS_OWN, *(section_name(name) for name in MODELS)} & settings.keys()
    if taken:
        raise ValueError(f"should not have {min(taken)}, which is the cells' own")
    return settings


def _check_batch(budget: dict[str, Any]) -> dict[str, Any]:
    """Check the one key of a budget that is not a setting; the settings' schema has the others."""
    batch = budget.get("batch_at_most", 2)
    if type(batch) is not int or batch < 2:
        raise ValueError("batch_at_most should be a whole number of at least 2")
    return budget


T = TypeVar("T")
Different = Annotated[list[T], AfterValidator(_check_different)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Variant(_Part):
    """Where a variant is trained, and the level whose hyper-parameters it takes."""

    models: Different[ModelType]
    families: Different[Family]
    tuned_at: Level


class Scale(_Part):
    """One scale, as the head of grids.yaml explains it, with the model types of the grid."""

    models: Annotated[Different[ModelType], Field(min_length=1)]
    seeds: Annotated[Different[Seed], Field(min_length=1)]
    levels: dict[Family, Different[Level]]
    variants: dict[Literal["control", "untuned"], Variant] = {}
    budgets: dict[ModelType, Annotated[dict[str, Any], AfterValidator(_check_batch)]] = {}
    settings: Annotated[dict[str, Any], AfterValidator(_check_settings)] = {}
    adam_probe: dict[Family, Different[Level]] = {}

    @model_validator(mode="after")
    def _has_cells(self) -> Self:
        if not any(self.levels.values()):
            raise ValueError("levels should have a level of some family")
        return self

    @model_validator(mode="after")
    def _has_what_adam_probes(self) -> Self:
        """A level that no cell has would be left out in silence."""
        for family, levels in self.adam_probe.items():
            if without := set(levels).difference(self.levels.get(family, [])):
                raise ValueError(
                    f"adam_probe.{family} has {min(without)}, which is no level of the scale"
                )
        return self

    @model_validator(mode="after")
    def _has_a_budget_for_each(self) -> Self:
        """Without budgets a scale trains as published; with some, no model may do so in silence."""
        lists = [self.models, *(variant.models for variant in self.variants.values())]
        trained = {name for models in lists for name in models if MODELS[name].trains}
        without = sorted(trained - self.budgets.keys())
        if self.budgets and without:
            raise ValueError(
                f"budgets should have {without[0]}, which would be trained for as long as published"
            )
        return self


def check_scale(definition: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the definition of a scale, complete. Raises InputError for what is wrong in it."""
    try:
        return Scale(**definition).model_dump()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join([where, *(str(part) for part in first["loc"] if part != "[key]")])
        value, what = shorten(first["input"]), first["msg"].removeprefix("Value error, ")
        what = what[0].lower() + what[1:]
        about = f"{place} = {value}" if first["loc"] else place
        raise InputError(f"{about}: {what}") from None
