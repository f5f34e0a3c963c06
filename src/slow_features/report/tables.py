"""Tables that are written three times: HTML in the page, Markdown and CSV beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from markupsafe import Markup, escape

from slow_features.grid.cells import Cell
from slow_features.report.names import CELL_COLUMNS, anchor, cell_name, cell_texts

Value = str | float | int | Cell | None
NOTHING = "—"  # where there is no number: not published, or not measured
NOT_RUN = "not run"
_FORMULA = ("=", "+", "-", "@")  # how one begins in a spreadsheet


class Linked(str):
    """A text that leads somewhere in a page; elsewhere the text alone stands.

    href: where it leads, relative to the page.
    """

    __slots__ = ("href",)

    def __new__(cls, text: str, href: str) -> Linked:
        """Return the text with its target."""
        linked = super().__new__(cls, text)
        linked.href = href
        return linked


class NotRun(tuple):
    """A row about something that was not run at all: a page folds it away."""


class Shown(NamedTuple):
    """A row as a reader sees it: plain texts; the grid's cell that it is about, if it is."""

    texts: list[str]
    anchor: str = ""
    name: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under column titles.

    digits: decimals of a column's numbers, by its title; significant: how many digits tell in
    all, for numbers of any size. CSV keeps all digits.
    merged: so many first columns show a text once for all rows in a row that have it.
    A None is shown as a dash and is empty in CSV. A cell of the grid in the first column is shown
    in CELL_COLUMNS; CSV has a column for each of its labels.
    """

    name: str
    title: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    digits: dict[str, int] = field(default_factory=dict)
    significant: dict[str, int] = field(default_factory=dict)
    merged: int = 0

    def __post_init__(self) -> None:
        """Refuse a row that does not fit the columns."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name}: {len(self.columns)} columns, row {row}")

    @property
    def about_cells(self) -> bool:
        """Whether each row is about a cell of the grid."""
        return any(isinstance(row[0], Cell) for row in self.rows)

    def header(self) -> list[str]:
        """Return the column titles as a reader sees them."""
        return [*CELL_COLUMNS, *self.columns[1:]] if self.about_cells else [*self.columns]

    def shown(self) -> list[Shown]:
        """Return the rows as a reader sees them."""
        return [self._shown(row) for row in self.rows]

    def _shown(self, row: Sequence[Value]) -> Shown:
        texts = [self._text(value, name) for value, name in zip(row, self.columns, strict=True)]
        if not isinstance(row[0], Cell):
            return Shown(texts)
        return Shown([*cell_texts(row[0]), *texts[1:]], anchor(row[0]), cell_name(row[0]))

    def _text(self, value: Value, column: str) -> str:
        if value is None:
            return NOTHING
        if isinstance(value, float) and column in self.digits:
            return f"{value:z.{self.digits[column]}f}"
        if isinstance(value, float) and column in self.significant:
            value = float(f"{value:.{self.significant[column]}g}")  # never written as 5.08e+02
        if isinstance(value, str):
            return value  # a Linked stays one
        return f"{value:g}" if isinstance(value, float) else str(value)

    def absent(self) -> list[Shown]:
        """Return the rows about what was not run; what was run in part is present."""
        return [self._shown(row) for row in self.rows if isinstance(row, NotRun)]

    def present(self) -> list[Shown]:
        """Return the other rows."""
        return [self._shown(row) for row in self.rows if not isinstance(row, NotRun)]

    def split(self) -> dict[str, Table]:
        """Return for each text of the first column, if anything of it has run, its other rows."""
        groups: dict[str, list[Sequence[Value]]] = {}
        for row in self.rows:
            if not isinstance(row, NotRun):
                groups.setdefault(str(row[0]), []).append(row[1:])
        return {
            text: replace(self, title=text, columns=self.columns[1:], rows=rows)
            for text, rows in groups.items()
        }

    def spans(self, shown: Sequence[Shown]) -> list[list[int]]:
        """Return for the merged columns of each row how many rows a text is for; 0: shown above."""
        spans = [[1] * self.merged for _ in shown]
        for column in range(self.merged):
            first = 0
            for row in range(1, len(shown)):
                if shown[row].texts[: column + 1] == shown[first].texts[: column + 1]:
                    spans[first][column] += 1
                    spans[row][column] = 0
                else:
                    first = row
        return spans

    def is_number(self, index: int) -> bool:
        """Return whether a column that is shown holds numbers, which stand on the right."""
        index -= len(self.header()) - len(self.columns)
        if index <= 0 and self.about_cells:
            return self.header()[index + len(CELL_COLUMNS) - 1] in ("alpha", "seed")
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
        if not self.about_cells:
            return self.columns, self.rows
        rows = [[*row[0].labels.values(), *row[1:]] for row in self.rows]
        return [*self.rows[0][0].labels, *self.columns[1:]], rows

    def markdown(self) -> Markup:
        """Return the table as Markdown, its text escaped."""
        header = self.header()
        lines = [[in_markdown(c) for c in header]]
        lines += [["---:" if self.is_number(i) else "---" for i in range(len(header))]]
        lines += [[in_markdown(text) for text in row.texts] for row in self.shown()]
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
