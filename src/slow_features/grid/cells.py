"""The cells of the paper's grid: which settings each has, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from slow_features.config.load import validate, with_adam
from slow_features.config.schema import Experiment
from slow_features.errors import InputError
from slow_features.grid.config_files import (
    CONFIGS_FOLDER,
    SEARCHED_FOLDER,
    config_file,
    searched_file,
    settings_of,
)
from slow_features.grid.definition import PUBLISHED, load_grid
from slow_features.models.registry import MODELS, section_name

THREE_DOTS = "three_dots"
TUNED_FAMILY = "changing_uniform"  # where the hyper-parameters of control and untuned come from


class Change(NamedTuple):
    """What a cell has otherwise than its file, and what follows from it, if anything."""

    key: str
    value: object
    published: object
    consequence: str = ""

    def __str__(self) -> str:
        words = f"{self.key} {self.value} instead of {self.published}"
        return f"{words}, {self.consequence}" if self.consequence else words


@dataclass(frozen=True)
class Cell:
    """One training of the grid.

    changes: what differs from the file `source`, for the report.
    adam_probe: evaluated with the published probe as well, beside the closed form.
    """

    scale: str
    family: str
    alpha: str
    model_type: str
    variant: str
    seed: int
    source: str
    config: Experiment = field(repr=False, compare=False)
    changes: tuple[Change, ...] = ()
    adam_probe: bool = False

    @property
    def name(self) -> str:
        """Name within its family and model type, as its folder is called."""
        return f"alpha{self.alpha}-{self.variant}-seed{self.seed}"

    @property
    def path(self) -> Path:
        """Where the cell lies below a folder of the grid."""
        return Path(self.scale, self.model_type, self.family, self.name)

    @property
    def noise(self) -> dict[str, Any]:
        """The settings of its dots and noise."""
        return {"dataset_type": self.config.dataset_type, **_noise(self.family, self.alpha)}

    @property
    def labels(self) -> dict[str, str | float]:
        """What tells the cell from all others: the first columns of every table of cells."""
        return {
            "scale": self.scale,
            "family": self.family,
            "alpha": float(self.alpha),
            "model": self.model_type,
            "variant": self.variant,
            "seed": self.seed,
        }

    def run_identity(self, identity: str) -> str:
        """Tag `identity` of the cell's MLflow run, from the identity of its training.

        With the scale: untrained cells are the same training at every scale, but not the same run.
        """
        return f"{identity}-{self.scale}"


def cells_of(scale: str, family: str | None = None, model_type: str | None = None) -> list[Cell]:
    """Return the cells of a scale, all or those of one family and model type, in a fixed order."""
    grid = load_grid(scale)
    return [
        _cell(scale, grid, key, seed)
        for key in _combinations(grid)
        if family in (None, key[0]) and model_type in (None, key[2])
        for seed in _seeds(grid, key[3])
    ]


def budgeted_cell(scale: str, family: str, alpha: str, model_type: str, seed: int) -> Cell:
    """Return the published cell of any noise setting at the budget of a scale, its own or not.

    Raises InputError when there is no such scale, or no configuration for the setting.
    """
    grid = load_grid(scale)
    if grid["budgets"] and model_type not in grid["budgets"] and MODELS[model_type].trains:
        raise InputError(f"{scale}.budgets: has none for {model_type}")
    return _cell(scale, grid, (family, alpha, model_type, PUBLISHED), seed)


def _combinations(grid: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return (family, alpha, model type, variant) of every cell."""
    found = []
    for family, levels in grid["levels"].items():
        for alpha in levels:
            published = grid["only"].get(family, grid["models"])
            found += [(family, alpha, model, PUBLISHED) for model in published]
            for variant, where in grid["variants"].items():
                tuned_here = family == TUNED_FAMILY and alpha == where["tuned_at"]
                if family in (where["families"] or [family]) and not tuned_here:
                    found += [
                        (family, alpha, model, variant)
                        for model in where["models"]
                        if where["folder"] != SEARCHED_FOLDER.name
                        or searched_file(family, alpha, model).exists()
                    ]
    return found


def _seeds(grid: dict[str, Any], variant: str) -> list[int]:
    return grid["variants"].get(variant, {}).get("seeds") or grid["seeds"]


def _cell(scale: str, grid: dict[str, Any], key: tuple[str, str, str, str], seed: int) -> Cell:
    family, alpha, model_type, variant = key
    file, tuned = _files(grid, key)
    settings = settings_of(file, model_type)
    changes, published = [], None
    if searched := file.parent == SEARCHED_FOLDER:
        own_file = config_file(family, alpha, model_type)
        published = validate(settings_of(own_file, model_type))
        changes.append(Change("hyper-parameters", settings.get("run_group"), own_file.name))
    if tuned:
        settings = _with_hyper_parameters(settings, tuned)
        changes.append(Change("hyper-parameters of", tuned.name, file.name))
    settings |= _noise(family, alpha)
    changes += _dots(settings, family, model_type)
    budget = grid["budgets"].get(model_type, {})
    changes += _apply_budget(settings, model_type, budget, published)
    settings |= {"seed": seed, "threads": 1, **grid["settings"]}
    own = searched or variant == PUBLISHED
    adam = own and alpha in grid["adam_probe"].get(family, []) and seed == grid["seeds"][0]
    config = validate(settings)
    if adam:
        with_adam(config)  # what does not fit is refused here, not after the training
    return Cell(
        scale, family, alpha, model_type, variant, seed, str(file), config, tuple(changes), adam
    )


def _files(grid: dict[str, Any], key: tuple[str, str, str, str]) -> tuple[Path, Path | None]:
    """Return the file that a cell starts from, and that of other hyper-parameters, if any."""
    family, alpha, model_type, variant = key
    where = grid["variants"].get(variant)
    if where and where["folder"]:
        if where["folder"] == SEARCHED_FOLDER.name:
            return searched_file(family, alpha, model_type), None
        return CONFIGS_FOLDER / where["folder"] / f"{model_type.lower()}.{variant}.yaml", None
    file = config_file(family, alpha, model_type)
    return file, where and config_file(TUNED_FAMILY, where["tuned_at"], model_type)


def _noise(family: str, alpha: str) -> dict[str, Any]:
    """Return the settings of a noise level: the cell's, whatever file it starts from."""
    level = float(alpha)
    fixed, structured = family.startswith("fixed"), family.endswith("structured")
    return {
        "dataset_noise": 0.0 if fixed else level,
        "dataset_static_noise": level if fixed else 0.0,
        "dataset_structured_noise": structured,
    }


def _dots(settings: dict[str, Any], family: str, model_type: str) -> list[Change]:
    """Give the settings three dots or one; say so where the file has it otherwise."""
    wanted, channels = ("Multiple", 3) if family == THREE_DOTS else ("Single", 1)
    found = settings.get("dataset_type", "Single")
    settings["dataset_type"] = wanted
    settings[section_name(model_type)] = settings.get(section_name(model_type), {}) | {
        "channels": channels
    }
    return [] if found == wanted else [Change("dataset_type", wanted, found)]


def _with_hyper_parameters(own: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return `own` with the model section and the batch size of a file. Raises InputError."""
    tuned, section = settings_of(file, own["model_type"]), section_name(own["model_type"])
    if section not in tuned:
        raise InputError(f"{file}: has no section {section} for a variant to take")
    batch = tuned.get("dataset_batch_size", Experiment.model_fields["dataset_batch_size"].default)
    return own | {section: tuned[section], "dataset_batch_size": batch}


def _apply_budget(
    settings: dict[str, Any], model_type: str, budget: dict[str, Any], published: Experiment | None
) -> list[Change]:
    """Set the length of the training, and a smaller batch at the same rate per step.

    published: what the length is compared with, if not with the settings as they come. Returns
    what is now otherwise than published.
    """
    changes = []
    before = validate(settings)
    published = published or before
    section = settings.setdefault(section_name(model_type), {})
    for key, value in budget.items():
        if key == "batch_at_most":
            continue
        where, file = (settings, published) if key == "n_steps" else (section, published.model)
        where[key] = value
        if value != getattr(file, key, None):
            changes.append(Change(key, value, getattr(file, key, None)))
    batch = min(before.batch_size, budget.get("batch_at_most", before.batch_size))
    if batch != before.batch_size:
        settings["dataset_batch_size"] = batch
        if getattr(before.model, "batch_size", None):
            section["batch_size"] = batch
        rate = ""
        if hasattr(before.model, "base_lr"):
            section["base_lr"] = before.model.base_lr * before.batch_size / batch
            rate = "the same rate per step"
        changes.append(Change("batch", batch, before.batch_size, rate))
    return changes
