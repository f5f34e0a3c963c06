"""The site draws the flowcharts of the pages itself, so that no page loads a library for them.

A hook of mkdocs. It knows the part of Mermaid's syntax that the pages use: `flowchart LR`, nodes
`name["text"]`, and chains of `-->` and `-.->`. GitHub draws the same text with Mermaid.
"""

from __future__ import annotations

import re
from html import escape
from itertools import pairwise
from typing import NamedTuple

FENCE = re.compile(r"^```mermaid\nflowchart LR\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NODE = re.compile(r'(\w+)\["(.*?)"\]')
ARROW = re.compile(r" (-->|-\.->) ")
LETTER, LINE, GAP, MARGIN, BOX = 7.2, 46, 48, 4, 30  # px


class Chart(NamedTuple):
    """A flowchart: the text of each node, and the edges with whether they are dotted."""

    texts: dict[str, str]
    edges: dict[tuple[str, str], bool]


def on_page_markdown(markdown: str, **_: object) -> str:
    """Replace the flowcharts of a page by drawings."""
    return FENCE.sub(lambda found: draw(parse(found[1])), markdown)


def parse(text: str) -> Chart:
    """Read the lines of a flowchart, each of them a chain of nodes and arrows."""
    chart = Chart({}, {})
    for line in filter(None, map(str.strip, text.splitlines())):
        chart.texts.update(NODE.findall(line))
        names = ARROW.split(NODE.sub(r"\1", line))
        for name in names[::2]:
            chart.texts.setdefault(name, name)
        for (before, after), arrow in zip(pairwise(names[::2]), names[1::2], strict=True):
            chart.edges[before, after] = arrow == "-.->"
    return chart


def places(chart: Chart) -> dict[str, tuple[int, int]]:
    """Return column and row of every node: after all that lead to it, level with the first."""
    found: dict[str, tuple[int, int]] = {}
    lowest: dict[int, int] = {}
    while left := [name for name in chart.texts if name not in found]:
        ready = [n for n in left if all(a in found for a, b in chart.edges if b == n)]
        if not ready:
            raise ValueError(f"a flowchart goes in a circle: {', '.join(left)}")
        for name in ready:
            before = [found[a] for a, b in chart.edges if b == name]
            column = 1 + max((c for c, _ in before), default=-1)
            level = before[0][1] if before else 0
            row = max(level, lowest.get(column, -1) + 1)
            lowest[column] = row
            found[name] = column, row
    return found


def draw(chart: Chart) -> str:
    """Return a flowchart as SVG, on one line and without blank lines, as Markdown wants HTML."""
    where = places(chart)
    columns = 1 + max(column for column, _ in where.values())
    widths = [
        max(len(chart.texts[n]) for n, (c, _) in where.items() if c == column) * LETTER + 16
        for column in range(columns)
    ]
    lefts = [MARGIN + sum(widths[:column]) + GAP * column for column in range(columns)]
    parts = [
        _edge(where[a], where[b], lefts, widths, dotted) for (a, b), dotted in chart.edges.items()
    ]
    parts += [
        _node(text, lefts[where[name][0]], where[name][1], widths[where[name][0]])
        for name, text in chart.texts.items()
    ]
    width = lefts[-1] + widths[-1] + MARGIN
    height = LINE * (1 + max(row for _, row in where.values()))
    label = escape("; ".join(f"{chart.texts[a]} to {chart.texts[b]}" for a, b in chart.edges))
    return (
        f'<svg class="flowchart" viewBox="0 0 {width:.0f} {height}" role="img" '
        f'aria-label="{label}" style="max-width:{width:.0f}px">{"".join(parts)}</svg>'
    )


def _node(text: str, left: float, row: int, width: float) -> str:
    top = row * LINE + (LINE - BOX) / 2
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{BOX}" rx="4" '
        'fill="none" stroke="currentColor"/>'
        f'<text x="{left + width / 2:.0f}" y="{top + BOX / 2 + 4:.0f}" font-size="12" '
        f'text-anchor="middle" fill="currentColor">{escape(text)}</text>'
    )


def _edge(
    start: tuple[int, int],
    end: tuple[int, int],
    lefts: list[float],
    widths: list[float],
    dotted: bool,
) -> str:
    x, y = lefts[start[0]] + widths[start[0]], start[1] * LINE + LINE / 2
    to_x, to_y = lefts[end[0]], end[1] * LINE + LINE / 2
    bend = GAP / 2
    dashes = ' stroke-dasharray="4 3"' if dotted else ""
    return (
        f'<path d="M{x:.0f} {y:.0f}C{x + bend:.0f} {y:.0f} {to_x - bend:.0f} {to_y:.0f} '
        f'{to_x - 5:.0f} {to_y:.0f}" fill="none" stroke="currentColor"{dashes}/>'
        f'<path d="M{to_x:.0f} {to_y:.0f}l-7-4v8z" fill="currentColor"/>'
    )
