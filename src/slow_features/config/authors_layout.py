"""The published best configurations, row by row, in the layout of the authors' files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import yaml

PUBLISHED = Path("reproduce_configs/published")  # in the repository
_LABELS = ("file", "noise", "alpha", "method")  # columns that are no configuration keys


def published_rows(folder: Path = PUBLISHED) -> list[dict[str, str]]:
    """Return the rows of the published table: labels and configuration keys, as texts."""
    with (folder / "hyperparameters.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def authors_settings(row: dict[str, str], folder: Path = PUBLISHED) -> dict[str, Any]:
    """Return the nested settings of a row: the method's constants, then the row's own values.

    A blank cell takes the constant; the text 'null' is a value.
    """
    constants = yaml.safe_load((folder / "constants.yaml").read_text())["constant_within_method"]
    settings: dict[str, Any] = {}
    for key, value in constants[row["method"]].items():
        _put(settings, key, value)
    for key, text in row.items():
        if key not in _LABELS and text != "":
            value = (
                text if key.endswith("backbone_mlp") and text != "null" else yaml.safe_load(text)
            )
            _put(settings, key, value)
    return settings


def _put(settings: dict[str, Any], key: str, value: Any) -> None:
    section, _, name = key.rpartition(".")
    (settings.setdefault(section, {}) if section else settings)[name] = value
