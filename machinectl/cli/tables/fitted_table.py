"""Lay out a table for the width of a terminal."""

from __future__ import annotations

import sys
from itertools import zip_longest

from machinectl.cli.go.tabwriter import PADDING, text_width
from machinectl.cli.output.style import coloured, shorten
from machinectl.value_classes import Frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Columns of the terminal between two of a narrow table.
NARROW_PADDING = 2
# Leave out columns before another one, or a wrapped one, is shorter than this; then shorten all down to the third.
SHORT, SHORT_TEXT, SHORTEST = 24, 40, 8
# Before a text below its row.
INDENT = "  "
# Cells that say nothing.
EMPTY = {"", "-"}


class Fitting(Frozen):
    """How a table becomes narrower, by headings; and the colours of cells, by heading and text."""

    # The column whose texts go below their rows.
    below: str = ""
    # What to leave out if there is no room, the first one first.
    spare: Sequence[str] = ()
    # Columns whose texts are wrapped, not cut.
    wrapped: Sequence[str] = ()
    colours: Mapping[tuple[str, str], str] = {}


NO_FITTING = Fitting()


class Column(Frozen):
    heading: str
    cells: Sequence[str]
    width: int
    # How short it may become.
    least: int


def fitted_rows(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int, fitting: Fitting
) -> list[list[str]]:
    """Return the lines of the headings, then those of each row, with the text below it."""
    columns = [
        Column(
            heading, cells, max(map(text_width, [heading, *cells])), SHORT_TEXT if heading in fitting.wrapped else SHORT
        )
        for heading, *cells in zip(headings, *rows, strict=True)
    ]
    below = next((column.cells for column in columns if column.heading == fitting.below), [""] * len(rows))
    beside = [column for column in columns if column.heading != fitting.below]
    layout, padding = fitted_layout(
        [one for one in beside if not EMPTY.issuperset(one.cells)] or beside, width, fitting
    )
    lines = [row_lines(layout, [column.heading for column in layout], padding, NO_FITTING)]
    for at, text in enumerate(below):
        cells = [column.cells[at] for column in layout]
        lines.append([*row_lines(layout, cells, padding, fitting), *below_row(text, width)])
    return lines


def fitted_layout(columns: Sequence[Column], width: int, fitting: Fitting) -> tuple[Sequence[Column], int]:
    """Shorten and leave out as few columns as possible. Return them, and the blanks between two."""
    for choice in narrower_tables(columns, fitting):
        if total_width(choice, PADDING) <= width:
            return choice, PADDING
        shown = shortened(choice, width)
        if total_width(shown, NARROW_PADDING) <= width:
            break
    return shown, NARROW_PADDING


def narrower_tables(columns: Sequence[Column], fitting: Fitting) -> Iterator[Sequence[Column]]:
    """Leave out what can be spared, then make all columns short but the first, which names the row."""
    yield columns
    for heading in fitting.spare:
        columns = [column for column in columns if column.heading != heading]
        yield columns
    columns = [columns[0], *(replace(column, least=SHORTEST) for column in columns[1:])]
    for count in range(len(columns), 1, -1):
        yield columns[:count]
    yield [replace(columns[0], least=1)]


def total_width(columns: Sequence[Column], padding: int) -> int:
    return sum(column.width for column in columns) + padding * (len(columns) - 1)


def shortened(columns: Sequence[Column], width: int) -> Sequence[Column]:
    """Shorten the widest columns, the last of them first."""
    widths = [column.width for column in columns]
    room = width - NARROW_PADDING * (len(widths) - 1)
    while sum(widths) > room and (wide := [at for at, column in enumerate(columns) if widths[at] > column.least]):
        widths[max(wide, key=lambda at: (widths[at], at))] -= 1
    return [replace(column, width=fit) for column, fit in zip(columns, widths, strict=True)]


def row_lines(columns: Sequence[Column], cells: Sequence[str], padding: int, fitting: Fitting) -> list[str]:
    """Return a row's lines: several only if a text is wrapped."""
    texts = [
        wrapped_text(cell, column.width) if column.heading in fitting.wrapped else [cell]
        for column, cell in zip(columns, cells, strict=True)
    ]
    lines = []
    for parts in zip_longest(*texts, fillvalue=""):
        line = ""
        for column, part in zip(columns, parts, strict=True):
            text = shorten(part, column.width, sys.stdout)
            line += coloured(text, fitting.colours.get((column.heading, part), ""), sys.stdout)
            line += " " * (column.width - text_width(text) + padding)
        lines.append(line.rstrip())
    return lines


def below_row(text: str, width: int) -> list[str]:
    return [shorten(INDENT + line, width, sys.stdout) for line in wrapped_text(text, width - len(INDENT)) if text]


def wrapped_text(text: str, width: int) -> list[str]:
    """Wrap a text; wide characters count as one."""
    # Imported late: most tables have no such texts.
    import textwrap

    return textwrap.wrap(text, max(width, 1), break_on_hyphens=False) or [""]
