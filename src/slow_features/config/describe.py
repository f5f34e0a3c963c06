"""What a setting allows, in words, read from the schema itself: for errors and for --help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from slow_features.config.schema import Experiment

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "null": "null",
    "object": "a section of keys",
}


@dataclass(frozen=True)
class Setting:
    """One setting as a user sees it: dotted key, default, allowed values and meaning."""

    key: str
    default: Any
    allowed: str
    meaning: str


@cache
def all_settings() -> dict[str, Setting]:
    """Return every setting by its dotted key, in the order of the schema."""
    return {setting.key: setting for setting in _walk(Experiment.model_json_schema())}


def _walk(schema: dict[str, Any]) -> Iterator[Setting]:
    definitions = schema["$defs"]
    defaults = Experiment().model_dump()
    for name, field in schema["properties"].items():
        if "$ref" not in field:
            yield Setting(name, defaults[name], _allowed(field), field["description"])
            continue
        section = definitions[field["$ref"].rpartition("/")[2]]
        for key, inner in section["properties"].items():
            yield Setting(
                f"{name}.{key}", defaults[name][key], _allowed(inner), inner["description"]
            )


def _allowed(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_allowed(option).removeprefix("only ") for option in field["anyOf"])
    if "enum" in field:
        return "one of " + ", ".join(str(value) for value in field["enum"])
    if "const" in field:
        return f"only {field['const']!r}"
    if "pattern" in field:
        return f"a text of the form {field['pattern']}"
    if field.get("minimum") == field.get("maximum") is not None:
        return f"only {_plain(field['minimum'])}"
    return _TYPES[field["type"]] + _bounds(field)


def _bounds(field: dict[str, Any]) -> str:
    low = field.get("minimum", field.get("exclusiveMinimum"))
    high = field.get("maximum", field.get("exclusiveMaximum"))
    parts = []
    if low is not None:
        parts.append(f"{'at least' if 'minimum' in field else 'above'} {_plain(low)}")
    if high is not None:
        parts.append(f"{'at most' if 'maximum' in field else 'below'} {_plain(high)}")
    if field.get("minLength"):
        parts.append("not empty")
    if field.get("maxLength"):
        parts.append(f"at most {field['maxLength']} characters")
    return " " + " and ".join(parts) if parts else ""


def _plain(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else f"{bound:g}"


def help_text(part: str = "") -> str:
    """Return what is to know about each setting whose key holds `part`."""
    lines = [
        f"  {s.key} = {'null' if s.default is None else repr(s.default)}\n"
        f"      {s.meaning} [{s.allowed}]"
        for s in all_settings().values()
        if part in s.key
    ]
    return "settings (key = default, meaning, [allowed values]):\n" + "\n".join(lines)
