"""Lay out a table for the width of a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from machinectl.cli.output.style import coloured, shorten
from machinectl.go.tabwriter import PADDING, text_width

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Columns of the terminal between two of a narrow table.
NARROW_PADDING = 2
# Leave out columns before another one is shorter than this; then shorten all down to the second.
SHORT, SHORTEST = 24, 8
# Before a text below its row.
INDENT = "  "
# Cells that say nothing.
EMPTY = {"", "-"}


class Fitting(NamedTuple):
    """How a table becomes narrower, by headings; and the colours of cells, by heading and text."""

    # The column whose texts go below their rows.
    below: str = ""
    # What to leave out if there is no room, the first one first.
    spare: Sequence[str] = ()
    colours: Mapping[tuple[str, str], str] = {}


class Column(NamedTuple):
    heading: str
    cells: Sequence[str]
    width: int


class Layout(NamedTuple):
    columns: Sequence[Column]
    padding: int

    @property
    def width(self) -> int:
        return sum(column.width for column in self.columns) + self.padding * (len(self.columns) - 1)


def fitted_rows(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int, fitting: Fitting
) -> list[list[str]]:
    """Return the lines of the headings, then those of each row, with the text below it."""
    columns = [
        Column(heading, cells, max(map(text_width, [heading, *cells])))
        for heading, *cells in zip(headings, *rows, strict=True)
    ]
    beside = [column for column in columns if column.heading != fitting.below]
    layout = fitted_layout(
        [column for column in beside if not EMPTY.issuperset(column.cells)] or beside, width, fitting
    )
    below = next((column.cells for column in columns if column.heading == fitting.below), [""] * len(rows))
    lines = [[table_line(layout, [column.heading for column in layout.columns], {})]]
    for at, text in enumerate(below):
        cells = [column.cells[at] for column in layout.columns]
        lines.append([table_line(layout, cells, fitting.colours), *below_row(text, width)])
    return lines


def fitted_layout(columns: Sequence[Column], width: int, fitting: Fitting) -> Layout:
    """Shorten and leave out as few columns as possible; keep the first one."""
    for heading in ("", *fitting.spare):
        columns = [column for column in columns if column.heading != heading]
        for layout in (Layout(columns, PADDING), shortened(columns, width, SHORT)):
            if layout.width <= width:
                return layout
    for count in range(len(columns), 1, -1):
        if (layout := shortened(columns[:count], width, SHORTEST)).width <= width:
            return layout
    return shortened(columns[:1], width, 1)


def shortened(columns: Sequence[Column], width: int, shortest: int) -> Layout:
    """Shorten the widest columns, the last of them first."""
    widths = [column.width for column in columns]
    room = width - NARROW_PADDING * (len(widths) - 1)
    while sum(widths) > room and (widest := max(widths)) > shortest:
        widths[len(widths) - 1 - widths[::-1].index(widest)] -= 1
    return Layout([column._replace(width=each) for column, each in zip(columns, widths, strict=True)], NARROW_PADDING)


def table_line(layout: Layout, cells: Sequence[str], colours: Mapping[tuple[str, str], str]) -> str:
    line = ""
    for column, cell in zip(layout.columns, cells, strict=True):
        text = shorten(cell, column.width, sys.stdout)
        line += coloured(text, colours.get((column.heading, cell), ""), sys.stdout)
        line += " " * (column.width - text_width(text) + layout.padding)
    return line.rstrip()


def below_row(text: str, width: int) -> list[str]:
    # Imported late: most tables have no such texts.
    import textwrap

    wrapped = textwrap.wrap(text, max(width - len(INDENT), 1), break_on_hyphens=False)
    # Wide characters count as one there.
    return [shorten(f"{INDENT}{line}".rstrip(), width, sys.stdout) for line in wrapped]
