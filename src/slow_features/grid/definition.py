"""What grids.yaml may hold: the scales of the grid, checked before anything is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from slow_features.config.load import read_yaml, shorten
from slow_features.errors import InputError
from slow_features.models.registry import MODELS

Family = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
ModelType = Literal[tuple(MODELS)]
Level = Annotated[str, Field(pattern=r"^\d{1,4}(\.\d{1,4})?$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Variant(_Part):
    """Where a variant is trained, and the level whose hyper-parameters it takes."""

    models: list[ModelType]
    families: list[Family]
    tuned_at: Level


class Budget(_Part):
    """What changes in a model's section; the settings' own schema checks the other keys."""

    model_config = ConfigDict(extra="allow")

    batch_at_most: Annotated[int, Field(ge=2)] | None = None


class Scale(_Part):
    """One scale of the grid, as grids.yaml explains it."""

    seeds: Annotated[list[Seed], Field(min_length=1)]
    levels: dict[Family, list[Level]]
    variants: dict[Literal["control", "untuned"], Variant] = {}
    budgets: dict[ModelType, Budget] = {}
    settings: dict[str, Any] = {}
    adam_probe: dict[Family, list[Level]] = {}


class Grids(_Part):
    """The whole file: noise families, model types, and the scales by name."""

    families: list[Family]
    models: list[ModelType]
    scales: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")], Scale]

    @model_validator(mode="after")
    def _families_are_known(self) -> Self:
        for name, scale in self.scales.items():
            for place, family in _families(scale):
                if family not in self.families:
                    raise ValueError(f"{name}.{place}: allowed: {', '.join(self.families)}")
        return self


def _families(scale: Scale) -> Iterator[tuple[str, str]]:
    """Yield (place, name) of every noise family that a scale uses."""
    yield from ((f"levels.{family}", family) for family, levels in scale.levels.items() if levels)
    yield from ((f"adam_probe.{family}", family) for family in scale.adam_probe)
    for name, variant in scale.variants.items():
        yield from ((f"variants.{name}.families.{family}", family) for family in variant.families)


def read_grids(file: Path) -> Grids:
    """Read grids.yaml. Raises InputError for the first thing in it that is wrong."""
    content = read_yaml(file, max_depth=4)
    lists = {key: content.pop(key) for key in ("families", "models") if key in content}
    try:
        return Grids(scales=content, **lists)
    except ValidationError as error:
        raise InputError(f"{file}: {_explain(error)}") from None


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":
        return first["msg"].removeprefix("Value error, ")
    place = ".".join(str(part) for part in first["loc"] if part not in ("scales", "[key]"))
    return f"{place} = {shorten(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}"
