"""A scale of grids.yaml: what it may hold, checked before anything is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from slow_features.config.load import read_yaml
from slow_features.errors import InputError, shorten
from slow_features.files import write_json
from slow_features.models.registry import MODELS, section_name

GRIDS_FILE = Path("grids.yaml")
OWN_SCALES = Path("grids")  # a file for each scale of a user's own, NAME.yaml
ModelType = Literal[tuple(MODELS)]
Family = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
Level = Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4})?$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
VariantName = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
PUBLISHED = "published"  # the variant that every cell has: the hyper-parameters of its own file
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
    """Where a variant is trained, and where its hyper-parameters come from.

    families: without them, every family of the scale.
    tuned_at: the level of changing uniform noise whose published hyper-parameters it takes.
    folder: or the folder in reproduce_configs/ with a file for each of its models, as
    remedies/simclr.within.yaml for the variant "within"; of "searched" with one for each setting
    that a search has run for, where alone there are cells.
    seeds: instead of the scale's.
    """

    models: Different[ModelType]
    families: Different[Family] | None = None
    tuned_at: Level | None = None
    folder: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")] | None = None
    seeds: Annotated[Different[Seed], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.tuned_at is None) == (self.folder is None):
            raise ValueError("should have either tuned_at, a level, or folder, for a file each")
        return self


class Scale(_Part):
    """One scale, as the head of grids.yaml explains it, with the model types of the grid.

    only: model types that alone have published cells in a noise family; without it, all have.
    """

    models: Annotated[Different[ModelType], Field(min_length=1)]
    only: dict[Family, Different[ModelType]] = {}
    seeds: Annotated[Different[Seed], Field(min_length=1)]
    levels: dict[Family, Different[Level]]
    variants: dict[VariantName, Variant] = {}
    budgets: dict[ModelType, Annotated[dict[str, Any], AfterValidator(_check_batch)]] = {}
    settings: Annotated[dict[str, Any], AfterValidator(_check_settings)] = {}
    adam_probe: dict[Family, Different[Level]] = {}

    @model_validator(mode="after")
    def _has_cells(self) -> Self:
        if not any(self.levels.values()):
            raise ValueError("levels should have a level of some family")
        return self

    @model_validator(mode="after")
    def _variants_have_names_of_their_own(self) -> Self:
        if PUBLISHED in self.variants:
            raise ValueError(f"variants should not have {PUBLISHED}, which every cell has")
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
        lists = [self.only.get(family, self.models) for family, has in self.levels.items() if has]
        lists += [variant.models for variant in self.variants.values()]
        trained = {name for models in lists for name in models if MODELS[name].trains}
        without = sorted(trained - self.budgets.keys())
        if self.budgets and without:
            raise ValueError(
                f"budgets should have {without[0]}, which would be trained for as long as published"
            )
        return self


def _check_scale(definition: dict[str, Any], where: str) -> dict[str, Any]:
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


def scales(file: Path = GRIDS_FILE) -> list[str]:
    """Return the names of all scales: those of grids.yaml, then those with a file of their own."""
    grids = read_yaml(file, max_depth=4)
    names = [name for name, value in grids.items() if isinstance(value, dict)]
    return names + sorted({own.stem for own in OWN_SCALES.glob("*.yaml")} - {*names})


def noise_families(file: Path = GRIDS_FILE) -> list[str]:
    """Return the noise families in the grid's order. Raises InputError if they are not named."""
    families = read_yaml(file, max_depth=4).get("families")
    if not isinstance(families, list) or not all(isinstance(name, str) for name in families):
        raise InputError(f"{file}: families = {shorten(families)}: allowed: a list of names")
    return families


def load_grid(scale: str, file: Path = GRIDS_FILE) -> dict[str, Any]:
    """Return the definition of a scale, with the model types of the grid.

    A scale of a user's own has the file grids/NAME.yaml, with what stands below a scale's name in
    grids.yaml. Raises InputError when there is no such scale, when its definition is wrong, or when
    it has a noise family that DVC does not know.
    """
    grids = read_yaml(file, max_depth=4)
    if not isinstance(grids.get(scale, {}), dict):
        value = shorten(grids[scale])
        raise InputError(f"{file}: {scale} = {value}: allowed: a scale, lines of 'key: value'")
    if scale not in scales(file):
        raise InputError(f"scale = {scale!r}: allowed: {', '.join(scales(file))} ({file})")
    if scale in grids:
        definition, where = grids[scale], f"{file}: {scale}"
    else:
        where = str(OWN_SCALES / f"{scale}.yaml")
        definition = read_yaml(where, max_depth=3)
    grid = _check_scale(definition | {"models": grids.get("models")}, where)
    families = noise_families(file)
    unknown = [f for f, levels in grid["levels"].items() if levels and f not in families]
    if unknown:
        raise InputError(f"{file}: {scale}.levels.{unknown[0]}: allowed: {', '.join(families)}")
    return grid


def write_definitions(folder: Path) -> None:
    """Write each part of grids.yaml, a scale or a list, as a file of its own without comments.

    A stage of DVC depends on that of its scale. As a parameter the same definition would stand in
    dvc.lock once for every stage, and DVC parses all of that lock before and after each stage.
    """
    for name, value in read_yaml(GRIDS_FILE, max_depth=4).items():
        write_json(folder / f"{name}.json", value)
