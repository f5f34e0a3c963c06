"""From YAML files and dotted values to one checked experiment, or one clear line of error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from slow_features.config.describe import all_settings
from slow_features.config.published import (
    WITHOUT_MEANING,
    drop_keys_without_meaning,
    recognise,
)
from slow_features.config.schema import Experiment
from slow_features.errors import InputError

MAX_BYTES = 1_000_000  # a configuration is a page of text; more is a mistake
MAX_DEPTH = 2  # top level and one level of sections


@dataclass(frozen=True)
class Loaded:
    """A checked experiment and what the user should know about how it was read."""

    config: Experiment
    notices: list[str]


def load_config(files: Iterable[str | Path], values: Sequence[str] = ()) -> Loaded:
    """Merge YAML files and `key=value` texts, later ones winning, and check the result.

    Raises InputError that names the key, the value and what is allowed.
    """
    raw: dict[str, Any] = {}
    for file in files:
        _merge(raw, read_yaml(file))
    for text in values:
        _merge(raw, parse_value(text))
    kept, notices = drop_keys_without_meaning(raw)
    config, more = recognise(validate(kept))
    return Loaded(config, notices + more)


def read_yaml(file: str | Path, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Read one YAML file of settings, at most `max_depth` mappings deep, with the safe loader.

    Raises InputError for a file that is missing, unreadable, too large, or no mapping.
    """
    try:
        if Path(file).stat().st_size > MAX_BYTES:
            raise InputError(
                f"{file}: larger than {MAX_BYTES} bytes; allowed: a YAML file of settings"
            )
        text = Path(file).read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{file}: not a YAML file of settings: {_one_line(error)}") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: holds no settings; allowed: lines of 'key: value'")
    _check_keys(content, where=str(file), levels=max_depth)
    return content


def _check_keys(content: dict[Any, Any], where: str, levels: int = MAX_DEPTH) -> None:
    for key, value in content.items():
        if not isinstance(key, str):
            raise InputError(f"{where}: key {shorten(key)}: allowed: names of settings")
        if isinstance(value, dict):
            if levels <= 1:
                raise InputError(f"{where}: {key}: nested too deep; allowed: section and key")
            _check_keys(value, f"{where}: {key}", levels - 1)


def parse_value(text: str) -> dict[str, Any]:
    """Parse 'vicreg.base_lr=0.3' into {'vicreg': {'base_lr': 0.3}}. Raises InputError."""
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts) or len(parts) > MAX_DEPTH:
        raise InputError(f"--values {shorten(text)}: allowed: key=value or section.key=value")
    try:
        parsed = yaml.safe_load(value)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(
            f"--values {shorten(text)}: the value is not YAML: {_one_line(error)}"
        ) from None
    for part in reversed(parts):
        parsed = {part: parsed}
    _check_keys(parsed, where="--values")
    return parsed


def _merge(base: dict[str, Any], new: dict[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            base[key] = {**base[key], **value}
        else:
            base[key] = value


def validate(raw: dict[str, Any]) -> Experiment:
    """Check nested settings against the schema. Raises InputError for the first problem."""
    try:
        return Experiment(**raw)
    except ValidationError as error:
        raise InputError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    if first["type"] == "value_error":  # a conflict between settings: the message is ours
        return first["msg"].removeprefix("Value error, ")
    known = all_settings()
    key = ".".join(str(part) for part in first["loc"][:MAX_DEPTH])
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key (value {shorten(first['input'])}); {_suggestion(key, known)}"
    if key not in known:
        return f"{key} = {shorten(first['input'])}: allowed: a section, lines of 'key: value'"
    return f"{key} = {shorten(first['input'])}: allowed: {known[key].allowed}"


def _suggestion(key: str, known: Iterable[str]) -> str:
    names = [*known, *WITHOUT_MEANING]
    close = get_close_matches(key, names, n=1, cutoff=0.6)
    same_name = [name for name in names if name.rpartition(".")[2] == key.rpartition(".")[2]]
    nearest = (close or same_name or [None])[0]
    return f"did you mean {nearest}?" if nearest else "allowed: the keys that --help lists"


def shorten(value: Any) -> str:
    """Return a value as one short line of text."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
