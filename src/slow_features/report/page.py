"""Pages from templates: one HTML file that needs no other, and Markdown beside its figures."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from slow_features.files import write_text
from slow_features.report.style import Picture
from slow_features.report.tables import NOT_RUN, Table, in_markdown, indented

# How texts begin that the page shows in a colour: a verdict, alone or with what it rests on.
_VERDICTS = {
    "good": ("reproduced", "holds so far", "holds", "trained"),
    "bad": ("not reproduced", "does not hold", "hardly moved", "loss hardly fell"),
    "absent": (NOT_RUN, "undecided at this scale", "cannot tell"),
}
_MARKS = {kind: re.compile(rf"({'|'.join(texts)})(:| \(|$)") for kind, texts in _VERDICTS.items()}


def mark(text: str) -> str:
    """Return which kind of verdict a text is: good, bad or absent; nothing for other texts."""
    return next((kind for kind, pattern in _MARKS.items() if pattern.match(text)), "")


@cache
def _templates() -> Environment:
    """Return the templates; every value in them is escaped, in Markdown too."""
    environment = Environment(
        loader=PackageLoader("slow_features.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"markdown": in_markdown, "indented": indented, "mark": mark}
    return environment


def write_page(
    folder: Path,
    template: str,
    content: dict[str, Any],
    pictures: dict[str, Picture],
    tables: dict[str, Table],
) -> None:
    """Write index.html and report.md from {template}.html and {template}.md.

    Tables are also written as CSV and Markdown files. What a template calls `pictures.x` or
    `tables.x` is the one of that name; a name that is not there is an error.
    """
    values = content | {"pictures": pictures, "tables": tables}
    for table in tables.values():
        _write_table(folder, table)
    for source, target in ((f"{template}.html", "index.html"), (f"{template}.md", "report.md")):
        write_text(folder / target, _templates().get_template(source).render(values))


def write_runs(folder: Path, title: str, table: Table) -> None:
    """Write runs.html, runs.md and runs.csv: cost, machine and revision of the runs.

    They differ from one run of the same thing to the next, which the page beside them does not.
    """
    _write_table(folder, table)
    page = _templates().get_template("runs.html").render(title=title, table=table)
    write_text(folder / "runs.html", page)


def _write_table(folder: Path, table: Table) -> None:
    write_text(folder / f"{table.name}.csv", table.csv())
    write_text(folder / f"{table.name}.md", table.markdown() + "\n")
