"""From YAML files and dotted values to one checked experiment, or one clear line of error."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from slow_features.config.describe import all_settings
from slow_features.config.published import (
    WITHOUT_MEANING,
    drop_keys_without_meaning,
    recognise,
)
from slow_features.config.schema import Experiment
from slow_features.config.yaml_text import read_yaml_text
from slow_features.errors import InputError, shorten
from slow_features.models.registry import section_name

MAX_BYTES = 65_536  # a configuration is a page of text; more is a mistake, and slow to read
MAX_DEPTH = 2  # top level and one level of sections
VALUES = "--values"  # the origin of a setting from the command line
KEY = r"[\w-]{1,64}"  # a dotted key belongs to --values alone


@dataclass(frozen=True)
class Loaded:
    """A checked experiment and what the user should know about how it was read.

    origins: where each setting comes from, by dotted key: the file that set it last, or --values.
    """

    config: Experiment
    notices: list[str]
    origins: dict[str, str] = field(default_factory=dict)


def load_config(files: Iterable[str | Path], values: Sequence[str] = ()) -> Loaded:
    """Merge YAML files and `key=value` texts, later ones winning, and check the result.

    Raises InputError that names the key, the value and what is allowed.
    """
    raw: dict[str, Any] = {}
    origins: dict[str, str] = {}
    parts = [(_readable(str(file)), read_yaml(file)) for file in files]
    parts += [(VALUES, parse_value(text)) for text in values]
    for origin, part in parts:
        _merge(raw, part)
        origins |= dict.fromkeys(_dotted_keys(part), origin)
    try:
        return replace(resolve(raw), origins=origins)
    except InputError as error:  # its message begins with the key
        origin = origins.get(re.split("[ :]", str(error), maxsplit=1)[0])
        raise InputError(f"{origin}: {error}" if origin else str(error)) from None


def resolve(raw: dict[str, Any]) -> Loaded:
    """Check nested settings and give published forms their own model type. Raises InputError."""
    kept, notices = drop_keys_without_meaning(raw)
    settings, more = recognise(validate(kept))
    config = validate(settings)
    if config.model.size_note:
        more.append(f"{section_name(config.model_type)}.{config.model.size_note}")
    if config.dataset_type == "Multiple" and config.model.channels == 1:
        more.append("dataset_type Multiple with channels 1: the three dots share one channel")
    return Loaded(config, notices + more)


def read_yaml(file: str | Path, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Read one YAML file of settings, at most `max_depth` mappings deep.

    Raises InputError for a file that is missing, unreadable, too large, or no mapping.
    """
    name = _readable(str(file))
    try:
        if not stat.S_ISREG(mode := Path(file).stat().st_mode) and not stat.S_ISDIR(mode):
            raise InputError(f"{name}: a pipe or a device; allowed: a YAML file")
        with Path(file).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: no name of a file at all
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{name}: cannot be read: {reason}; allowed: a YAML file") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{name}: larger than {MAX_BYTES} bytes; allowed: a YAML file of settings")
    try:
        settings = read_yaml_text(content.decode("utf-8"))
    except ValueError as error:
        raise InputError(f"{name}: not a YAML file of settings: {error}") from None
    if not isinstance(settings, dict):
        raise InputError(f"{name}: holds no settings; allowed: lines of 'key: value'")
    _check_keys(settings, where=name, levels=max_depth)
    return settings


def _check_keys(
    content: dict[Any, Any], where: str, levels: int = MAX_DEPTH, above: str = ""
) -> None:
    for key, value in content.items():
        if not isinstance(key, str) or not re.fullmatch(KEY, key):
            raise InputError(
                f"{where}: key {shorten(key)}: allowed: names of settings; the keys of a section "
                "stand below its name, indented"
            )
        if isinstance(value, dict):
            if levels <= 1:
                raise InputError(
                    f"{where}: {above}{key} = {shorten(value)}: nested too deep; allowed: "
                    "section and key"
                )
            _check_keys(value, where, levels - 1, f"{above}{key}.")


def parse_value(text: str) -> dict[str, Any]:
    """Parse 'vicreg.base_lr=0.3' into {'vicreg': {'base_lr': 0.3}}. Raises InputError.

    The value is YAML, or Python's None, which YAML takes for a text.
    """
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts) or len(parts) > MAX_DEPTH:
        raise InputError(f"--values {shorten(text)}: allowed: key=value or section.key=value")
    try:
        parsed = None if value.strip() == "None" else read_yaml_text(value)
    except ValueError as error:
        raise InputError(f"--values {shorten(text)}: the value is not YAML: {error}") from None
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


def _dotted_keys(settings: dict[str, Any]) -> Iterator[str]:
    for key, value in settings.items():
        yield key
        if isinstance(value, dict):
            yield from (f"{key}.{inner}" for inner in value)


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


def _readable(name: str) -> str:
    """Return the name of a file as one line without control characters."""
    return name if name.isprintable() and 0 < len(name) <= 300 else shorten(name)
