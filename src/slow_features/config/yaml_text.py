"""YAML as settings need it: plain data, no surprises, no way to blow up.

Numbers and booleans are those of YAML 1.2, as DVC reads params.yaml: 1e-3 is a number, 010 is ten,
`yes` and `1:30` are texts. YAML 1.1, which PyYAML follows by itself, has each of them otherwise.
"""

from __future__ import annotations

import re
from copy import deepcopy
from functools import lru_cache
from typing import Any, ClassVar

import yaml

_SCALARS = (  # tag, what it looks like, its first characters
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
)


class _Loader(yaml.SafeLoader):
    """The safe loader without tags, aliases, duplicate keys and characters that no file holds."""

    yaml_implicit_resolvers: ClassVar[dict[str, list]] = {}  # not those of YAML 1.1

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """Refuse what plain settings need not have.

        Tags ask for objects; nested aliases make more values of a page than memory holds.
        """
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _refused(f"alias *{event.anchor}: write the value out", event.start_mark)
        if getattr(event, "tag", None):
            raise _refused(f"tag {event.tag}: only plain values are allowed", event.start_mark)
        return super().compose_node(parent, index)

    def compose_scalar_node(self, anchor: str | None) -> yaml.Node:
        """Refuse what no name of a file and no text may hold: "\\0", half a character."""
        node = super().compose_scalar_node(anchor)
        if bad := re.search(r"[\0\ud800-\udfff]", node.value):
            raise _refused(f"character #x{ord(bad[0]):04x} is not allowed", node.start_mark)
        return node

    def compose_mapping_node(self, anchor: str | None) -> yaml.Node:
        """Refuse a key that comes twice: which of the two is meant?"""
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise _refused(f"key {key.value!r} comes twice", key.start_mark)
                seen.add(key.value)
        return node


class _Dumper(yaml.SafeDumper):
    """The safe writer; puts into quotes what either version of YAML takes for no text."""


for _tag, _pattern, _first in _SCALARS:
    for _either in (_Loader, _Dumper):
        _either.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first)
        )
_Loader.add_constructor(
    "tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node))
)


def read_yaml_text(text: str) -> Any:
    """Return the content of a YAML text. Raises ValueError, one line that names the place.

    Each call returns data of its own. A text that was read before is not parsed again: a report
    reads grids.yaml and the published files hundreds of times.
    """
    return deepcopy(_parsed(text))


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except (yaml.YAMLError, TypeError) as error:  # TypeError: a list or a mapping as a key
        raise ValueError(_one_line(error)) from None


def write_yaml_text(content: Any, only_ascii: bool = False) -> str:
    """Return plain data as YAML that `read_yaml_text` reads back to the same data."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=not only_ascii)


def _refused(what: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=mark)


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return (place + " ".join(str(getattr(error, "problem", None) or error).split()))[:200]
