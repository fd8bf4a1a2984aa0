"""Print rows as an aligned table, by a Go template, or as JSON."""

from __future__ import annotations

import sys
from functools import partial
from itertools import groupby, zip_longest

from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.output.style import coloured, columns, harmless, is_terminal, shorten, text_width
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.value_classes import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Protocol

    from machinectl.cli.go.template import Template

    class TableRow(Protocol):
        """A row's cells, and its fields for JSON."""

        def cells(self) -> list[str]: ...

        def fields(self) -> Mapping[str, Any]: ...


# docker-machine's: tabwriter.NewWriter(os.Stdout, 5, 1, 3, ' ', 0)
NARROWEST = 5
# docker's: tabwriter.NewWriter(c.Output, 10, 1, 3, ' ', 0)
DOCKERS_NARROWEST = 10
PADDING = 3
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


def fitted_rows(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int, fitting: Fitting
) -> list[list[str]]:
    """Return the lines of the headings, then those of each row, with the text below it."""
    columns = {heading: cells for heading, *cells in zip(headings, *rows, strict=True)}
    below = columns.pop(fitting.below, [""] * len(rows))
    columns = {heading: cells for heading, cells in columns.items() if not EMPTY.issuperset(cells)} or columns
    natural = {heading: max(map(text_width, [heading, *cells])) for heading, cells in columns.items()}
    widths, padding = fitted_widths(natural, width, fitting)
    lines = [row_lines(widths, list(widths), padding, NO_FITTING)]
    for at, text in enumerate(below):
        more = wrapped_text(text, width - len(INDENT)) if text else []
        more = [shorten(INDENT + line, width, sys.stdout) for line in more]
        lines.append([*row_lines(widths, [columns[heading][at] for heading in widths], padding, fitting), *more])
    return lines


def fitted_widths(natural: Mapping[str, int], width: int, fitting: Fitting) -> tuple[dict[str, int], int]:
    """Shorten and leave out as few columns as possible. Return the widths of the others, and the blanks between two."""
    widths = dict(natural)
    least = {heading: SHORT_TEXT if heading in fitting.wrapped else SHORT for heading in widths}
    spare = [heading for heading in fitting.spare if heading in widths]
    first, *others = widths
    while sum(widths.values()) + PADDING * (len(widths) - 1) > width:
        room = width - NARROW_PADDING * (len(widths) - 1)
        shown = shortened(widths, least, room)
        if sum(shown.values()) <= room or len(widths) == 1:
            return shown, NARROW_PADDING
        if spare:
            del widths[spare.pop(0)]
        elif others:
            # The first column names the row.
            least |= dict.fromkeys(others, SHORTEST)
            others = []
        else:
            widths.popitem()
            least[first] = 1 if len(widths) == 1 else least[first]
    return widths, PADDING


def shortened(widths: Mapping[str, int], least: Mapping[str, int], room: int) -> dict[str, int]:
    """Shorten the widest columns, the last of them first."""
    shown = dict(widths)
    order = list(shown)
    while sum(shown.values()) > room and (wide := [heading for heading in order if shown[heading] > least[heading]]):
        shown[max(wide, key=lambda heading: (shown[heading], order.index(heading)))] -= 1
    return shown


def row_lines(widths: Mapping[str, int], cells: Sequence[str], padding: int, fitting: Fitting) -> list[str]:
    """Return a row's lines: several only if a text is wrapped."""
    texts = [
        wrapped_text(cell, width) if heading in fitting.wrapped else [cell]
        for (heading, width), cell in zip(widths.items(), cells, strict=True)
    ]
    lines = []
    for parts in zip_longest(*texts, fillvalue=""):
        line = ""
        for (heading, width), part in zip(widths.items(), parts, strict=True):
            text = shorten(part, width, sys.stdout)
            line += coloured(text, fitting.colours.get((heading, part), ""), sys.stdout)
            line += " " * (width - text_width(text) + padding)
        lines.append(line.rstrip())
    return lines


def wrapped_text(text: str, width: int) -> list[str]:
    """Wrap a text; wide characters count as one."""
    # Imported late: most tables have no such texts.
    import textwrap

    return textwrap.wrap(text, max(width, 1), break_on_hyphens=False) or [""]


# Replace characters that end a line or a cell in a terminal, a shell or Python.
BREAKS = str.maketrans(dict.fromkeys("\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029", " "))


def align(
    lines: Sequence[str], *, narrowest: int = NARROWEST, padding: int = PADDING, measure: Callable[[str], int] = len
) -> list[str]:
    """Replace tabs by blanks, as Go's tabwriter does. `measure` returns a text's width."""
    rows = [line.split("\t") for line in lines]
    for column in range(max(map(len, rows), default=1) - 1):
        # A column's width holds for adjacent lines that have it.
        for has_it, block in groupby(rows, partial(has_column, column)):
            if has_it:
                cells = list(block)
                width = max(narrowest, *(measure(row[column]) + padding for row in cells))
                for row in cells:
                    row[column] += " " * (width - measure(row[column]))
    return ["".join(row) for row in rows]


def has_column(column: int, row: Sequence[str]) -> bool:
    return len(row) - 1 > column


def aligned_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["\t".join(headings), *("\t".join(str(cell) for cell in row) for row in rows)]
    return "".join(f"{line.rstrip()}\n" for line in align(lines))


class RowFormat(Frozen):
    """A template for rows, and its headings or None."""

    row: Template
    headings: str | None

    def text(self, rows: Iterable[tuple[str, Any]], **layout: Any) -> tuple[str, list[MachineError]]:
        """Render machines' rows; align columns if there are headings. `layout` is for tabwriter.align.

        A row that lacks what the template reads is left out: return an error for each cause.
        """
        from machinectl.quantities import first_names

        texts: list[str] = []
        unprintable: dict[str, tuple[UsageError, list[str]]] = {}
        for machine, row in rows:
            try:
                texts.append(self.row.render(row))
            except UsageError as exc:
                unprintable.setdefault(exc.cause, (exc, []))[1].append(machine)
        if self.headings is not None:
            texts = align([line for text in [self.headings, *texts] for line in text.split("\n")], **layout)
        test = Hint("If only some machines have it, test for it first: {{if .Labels.rack}}{{.Labels.rack}}{{end}}")
        errors = [
            MachineError(f"{error.cause} ({first_names(list(dict.fromkeys(machines)))})", test)
            for error, machines in unprintable.values()
        ]
        return "".join(f"{text}\n" for text in texts), errors


def print_rows(
    headings: Sequence[str], rows: Iterable[TableRow], fitting: Fitting = NO_FITTING, *, as_json: bool
) -> None:
    if as_json:
        print_json([row.fields() for row in rows])
    else:
        write_out(table_text(headings, (row.cells() for row in rows), fitting))


def print_fields(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows by field. `columns` are the headings of the table, with their fields."""
    if as_json:
        print_json(rows)
    else:
        cells = ([row[field] or "-" for field in columns.values()] for row in rows)
        write_out(table_text(list(columns), cells))


def table_text(headings: Sequence[str], rows: Iterable[Iterable[object]], fitting: Fitting | None = NO_FITTING) -> str:
    """Return a table that fits the terminal; the whole one for a pipe, or without a fitting."""
    cells = [[cell_text(cell) for cell in row] for row in rows]
    if fitting is None or not is_terminal(sys.stdout):
        return aligned_table(headings, cells)
    found = fitted_rows(headings, cells, columns(sys.stdout), fitting)
    return "".join(f"{line}\n" for row in found for line in row)


def cell_text(value: object) -> str:
    """Return sanitised text on one line."""
    return harmless(" ".join(str(value).split()))


def unbroken(value: Any) -> Any:
    """Replace characters that break a row or a cell: labels may hold any."""
    if isinstance(value, dict):
        return {unbroken(key): unbroken(each) for key, each in value.items()}
    if isinstance(value, list):
        return [unbroken(each) for each in value]
    return value.translate(BREAKS) if isinstance(value, str) else value
