"""The file in reproduce_configs/ that a cell of the grid starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slow_features.config.load import read_yaml
from slow_features.errors import InputError, shorten
from slow_features.models.registry import section_name

CONFIGS_FOLDER = Path("reproduce_configs")
SEARCHED_FOLDER = CONFIGS_FOLDER / "searched"  # what stages/search.py found


def searched_file(family: str, alpha: str, model_type: str) -> Path:
    """Return where a search leaves the best settings of a model type in a noise setting."""
    return SEARCHED_FOLDER / published_name(family, alpha, model_type)


def published_name(family: str, alpha: str, model_type: str) -> str:
    """Return what the published file of a setting is called."""
    return f"sweep_{family}.({alpha}).{model_type.lower()}.best.yaml"


def config_file(family: str, alpha: str, model_type: str) -> Path:
    """Return the file in reproduce_configs/ that a cell starts from.

    Where a level was not published for a model type (Supervised above 1.5 of changing uniform
    noise; three dots; Random), a file of this project stands in, with its source inside.
    Raises InputError when there is none.
    """
    method = model_type.lower()
    candidates = [
        CONFIGS_FOLDER / published_name(family, alpha, model_type),
        CONFIGS_FOLDER / f"{family}.{method}.yaml",
        CONFIGS_FOLDER / f"{method}.yaml",
    ]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise InputError(f"no configuration for {family}, alpha {alpha}, {model_type}: {candidates[0]}")


def settings_of(file: Path, model_type: str) -> dict[str, Any]:
    """Read a file of a model type. Raises InputError for a file of another one, or of none."""
    settings, section = read_yaml(file), section_name(model_type)
    found = settings.get("model_type")
    if found != model_type:
        raise InputError(f"{file}: model_type = {shorten(found)}: allowed: {model_type}")
    if not isinstance(settings.get(section, {}), dict):
        value = shorten(settings[section])
        raise InputError(f"{file}: {section} = {value}: allowed: a section, lines of 'key: value'")
    return settings
