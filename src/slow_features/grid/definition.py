"""What a scale of grids.yaml may hold, checked before anything is made of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from slow_features.errors import InputError, shorten
from slow_features.models.registry import MODELS

ModelType = Literal[tuple(MODELS)]
Family = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
Level = Annotated[str, Field(pattern=r"^\d{1,4}(\.\d{1,4})?$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


def _check_batch(budget: dict[str, Any]) -> dict[str, Any]:
    """Check the one key of a budget that is not a setting; the settings' schema has the others."""
    batch = budget.get("batch_at_most", 2)
    if type(batch) is not int or batch < 2:
        raise ValueError("batch_at_most should be a whole number of at least 2")
    return budget


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Variant(_Part):
    """Where a variant is trained, and the level whose hyper-parameters it takes."""

    models: list[ModelType]
    families: list[Family]
    tuned_at: Level


class Scale(_Part):
    """One scale, as the head of grids.yaml explains it, with the model types of the grid."""

    models: list[ModelType]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    levels: dict[Family, list[Level]]
    variants: dict[Literal["control", "untuned"], Variant] = {}
    budgets: dict[ModelType, Annotated[dict[str, Any], AfterValidator(_check_batch)]] = {}
    settings: dict[str, Any] = {}
    adam_probe: dict[Family, list[Level]] = {}


def check_scale(definition: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the definition of a scale, complete. Raises InputError for what is wrong in it."""
    try:
        return Scale(**definition).model_dump()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join([where, *(str(part) for part in first["loc"] if part != "[key]")])
        value, what = shorten(first["input"]), first["msg"].removeprefix("Value error, ")
        raise InputError(f"{place} = {value}: {what[0].lower()}{what[1:]}") from None
