"""An experiment's settings in a page: what matters to it, and the command that repeats it."""

from __future__ import annotations

import shlex
from typing import Any

import yaml

from slow_features.config.describe import all_settings
from slow_features.config.load import load_config
from slow_features.config.schema import Experiment
from slow_features.models.registry import section_name
from slow_features.report.tables import Table

_ALL_ELSE = "Every other setting has its default; all of them are in config.yaml."
_PLACES = frozenset({"output_path"})  # where a result lies says nothing about it


def flat_settings(config: Experiment) -> dict[str, Any]:
    """Return the settings that have a meaning for the chosen model type, by dotted key."""
    sections = (section_name(config.model_type), "probing_cfg")
    flat = {}
    for key, value in config.model_dump().items():
        if not isinstance(value, dict):
            flat[key] = value
        elif key in sections:
            flat |= {f"{key}.{inner}": inner_value for inner, inner_value in value.items()}
    return flat


def differences(config: Experiment, base: Experiment) -> dict[str, Any]:
    """Return the settings of `config` that `base` has otherwise, places of files left out."""
    before = flat_settings(base.model_copy(update={"model_type": config.model_type}))
    before["model_type"] = base.model_type
    return {
        key: value
        for key, value in flat_settings(config).items()
        if key not in _PLACES and value != before[key]
    }


def differences_table(config: Experiment) -> Table:
    """Return a table of the settings that differ from the defaults, with their meaning."""
    known = all_settings()
    rows = [
        (key, as_text(value), as_text(known[key].default), known[key].meaning)
        for key, value in differences(config, Experiment()).items()
    ]
    return Table(
        "settings",
        "What differs from the defaults",
        _ALL_ELSE + (f" {config.model.size_note}." if config.model.size_note else ""),
        ("setting", "value", "default", "meaning"),
        rows,
    )


def as_text(value: Any) -> str:
    """Return a value as YAML on one line, the form that --values reads back."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.strip().removesuffix("\n...")


def train_command(source: str, config: Experiment, output_path: str) -> str:
    """Return the shell command that trains and evaluates `config`, starting from a file."""
    values = differences(config, load_config([source]).config) | {"output_path": output_path}
    words = ["python", "stages/train.py", "--configs", source]
    words += ["--values"] + [f"{key}={as_text(value)}" for key, value in values.items()]
    return shlex.join(words)
