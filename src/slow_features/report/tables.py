"""Tables that are written three times: HTML in the page, Markdown and CSV beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from slow_features.grid.cells import Cell

Value = str | float | int | Cell | None
NOTHING = "—"  # where there is no number: not published, or not measured
NOT_RUN = "not run"
_FORMULA = ("=", "+", "-", "@")  # how one begins in a spreadsheet


class NotRun(tuple):
    """A row about something that was not run at all: a page folds it away."""


@dataclass(frozen=True)
class Table:
    """Rows under column titles.

    digits: decimals of a column's numbers, by its title; significant: how many digits tell in
    all, for numbers of any size. CSV keeps all digits.
    A None is shown as a dash and is empty in CSV. A cell of the grid in the first column is shown
    as its path; CSV has a column for each of its labels.
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
        if isinstance(value, Cell):
            return str(value.path)
        if isinstance(value, float) and column in self.digits:
            return f"{value:.{self.digits[column]}f}"
        if isinstance(value, float) and column in self.significant:
            value = float(f"{value:.{self.significant[column]}g}")  # never written as 5.08e+02
        return f"{value:g}" if isinstance(value, float) else str(value)

    def absent(self) -> list[list[str]]:
        """Return the shown rows about what was not run; what was run in part is present."""
        return self._rows_that(lambda row: isinstance(row, NotRun))

    def present(self) -> list[list[str]]:
        """Return the other rows."""
        return self._rows_that(lambda row: not isinstance(row, NotRun))

    def _rows_that(self, hold: Callable[[Sequence[Value]], bool]) -> list[list[str]]:
        return [shown for row, shown in zip(self.rows, self.shown(), strict=True) if hold(row)]

    def is_number(self, index: int) -> bool:
        """Return whether a column holds numbers, which stand on the right."""
        numbers = any(isinstance(row[index], float | int) for row in self.rows)
        return numbers or self.columns[index] in self.digits

    def csv(self) -> str:
        """Return the table as CSV that no spreadsheet computes with, whatever texts it holds."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        columns, rows = self._by_label()
        writer.writerow(map(_inert, columns))
        writer.writerows([map(_inert, row) for row in rows])
        return text.getvalue()

    def _by_label(self) -> tuple[Sequence[str], Sequence[Sequence[Value]]]:
        """Return columns and rows with the labels of each cell in place of the cell."""
        cells = [row[0] for row in self.rows if isinstance(row[0], Cell)]
        if not cells:
            return self.columns, self.rows
        rows = [[*row[0].labels.values(), *row[1:]] for row in self.rows]
        return [*cells[0].labels, *self.columns[1:]], rows

    def markdown(self) -> Markup:
        """Return the table as Markdown, its text escaped."""
        sides = ["---:" if self.is_number(i) else "---" for i in range(len(self.columns))]
        lines = [[in_markdown(c) for c in self.columns], sides]
        lines += [[in_markdown(text) for text in row] for row in self.shown()]
        return Markup("\n".join("| " + " | ".join(line) + " |" for line in lines))


def _inert(value: Value) -> Value:
    """Return a value that a spreadsheet shows and does not compute: no text that is a formula.

    An apostrophe in front makes it text; numbers, also written as text, stay what they are. A
    carriage return, which Python before 3.13 does not quote, would begin a new row.
    """
    if not isinstance(value, str):
        return value
    value = value.replace("\r", "\n")
    if not value.strip().startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def in_markdown(text: str) -> Markup:
    """Return text that Markdown shows as it is, also inside a table: no HTML, link or new cell."""
    plain = str(escape(" ".join(text.split()))).replace("&#39;", "'").replace("&#34;", '"')
    for character in "\\|`[]*":
        plain = plain.replace(character, f"&#{ord(character)};")
    return Markup(plain)


def indented(text: str) -> Markup:
    """Return text as a code block of Markdown: four spaces, out of which no text can break."""
    return Markup("\n".join("    " + line for line in text.splitlines()))
