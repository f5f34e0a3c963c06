"""Links inside a page: the name of a cell, wherever a text has it, leads to the cell's card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from markupsafe import Markup, escape

_NAME = re.compile(r"[\w./-]+")


class Link(NamedTuple):
    """Where a name leads: the id of an element of the page, and the text that stands for it."""

    target: str
    shown: str


def linked(text: str, links: Mapping[str, Link]) -> Markup:
    """Return text as HTML, escaped, in which every known name is a link."""
    parts, end = [], 0
    for found in _NAME.finditer(text):
        name = found.group().rstrip(".")  # of a sentence that ends with a name
        if name in links:
            parts += [escape(text[end : found.start()]), _anchor(links[name])]
            end = found.start() + len(name)
    return Markup("").join([*parts, escape(text[end:])])


def _anchor(link: Link) -> Markup:
    shown = Markup("/<wbr>").join(link.shown.split("/"))  # a long name may break at its slashes
    return Markup('<a href="#{}">{}</a>').format(link.target, shown)
