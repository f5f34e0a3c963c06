"""Tables that are written three times: HTML in the page, Markdown and CSV beside it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

Value = str | float | int | None
NOTHING = "—"  # where there is no number: not published, or not measured
NOT_RUN = "not run"
_ALL_NOT_RUN = re.compile(rf"(\d+ )?{NOT_RUN}")  # with a count: so many of as many


@dataclass(frozen=True)
class Table:
    """Rows under column titles.

    digits: decimals of a column's numbers, by its title; significant: how many digits tell in
    all, for numbers of any size. CSV keeps all digits.
    A None is shown as a dash and is empty in CSV.
    """

    name: str
    title: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    digits: dict[str, int] = field(default_factory=dict)
    significant: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a row that does not fit the columns."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name}: {len(self.columns)} columns, row {row}")

    def shown(self) -> list[list[str]]:
        """Return the cells as a reader sees them, as plain text."""
        return [
            [self._text(value, column) for value, column in zip(row, self.columns, strict=True)]
            for row in self.rows
        ]

    def _text(self, value: Value, column: str) -> str:
        if value is None:
            return NOTHING
        if isinstance(value, float) and column in self.digits:
            return f"{value:.{self.digits[column]}f}"
        if isinstance(value, float) and column in self.significant:
            value = float(f"{value:.{self.significant[column]}g}")  # never written as 5.08e+02
        return f"{value:g}" if isinstance(value, float) else str(value)

    def absent(self) -> list[list[str]]:
        """Return the shown rows that are wholly not run; one that is in part is present."""
        return [row for row in self.shown() if _not_run(row)]

    def present(self) -> list[list[str]]:
        """Return the other rows."""
        return [row for row in self.shown() if not _not_run(row)]

    def is_number(self, index: int) -> bool:
        """Return whether a column holds numbers, which stand on the right."""
        numbers = any(isinstance(row[index], float | int) for row in self.rows)
        return numbers or self.columns[index] in self.digits

    def csv(self) -> str:
        """Return the table as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return text.getvalue()

    def markdown(self) -> Markup:
        """Return the table as Markdown, its text escaped."""
        sides = ["---:" if self.is_number(i) else "---" for i in range(len(self.columns))]
        lines = [[in_markdown(c) for c in self.columns], sides]
        lines += [[in_markdown(text) for text in row] for row in self.shown()]
        return Markup("\n".join("| " + " | ".join(line) + " |" for line in lines))


def _not_run(row: Sequence[str]) -> bool:
    said = [text for text in row if NOT_RUN in text]
    return NOT_RUN in said and all(_ALL_NOT_RUN.fullmatch(text) for text in said)


def in_markdown(text: str) -> Markup:
    """Return text that Markdown shows as it is, also inside a table: no HTML, link or new cell."""
    plain = str(escape(" ".join(text.split()))).replace("&#39;", "'").replace("&#34;", '"')
    for character in "\\|`[]*":
        plain = plain.replace(character, f"&#{ord(character)};")
    return Markup(plain)


def indented(text: str) -> Markup:
    """Return text as a code block of Markdown: four spaces, out of which no text can break."""
    return Markup("\n".join("    " + line for line in text.splitlines()))
