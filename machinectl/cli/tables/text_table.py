"""Print rows as an aligned table, by a Go template, or as JSON."""

from __future__ import annotations

import sys

from machinectl.cli.go.tabwriter import align, aligned_table
from machinectl.cli.output.sanitise import harmless
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.output.style import columns, is_terminal
from machinectl.cli.tables.fitted_table import NO_FITTING, Fitting, fitted_rows
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.value_classes import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Protocol

    from machinectl.cli.go.template import Template

    class TableRow(Protocol):
        """A row's cells, and its fields for JSON."""

        def cells(self) -> list[str]: ...

        def fields(self) -> Mapping[str, Any]: ...


# Replace characters that end a line or a cell in a terminal, a shell or Python.
BREAKS = str.maketrans(dict.fromkeys("\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029", " "))


class RowFormat(Frozen):
    """A template for rows, and its headings or None."""

    row: Template
    headings: str | None

    def text(self, rows: Iterable[tuple[str, Any]], **layout: Any) -> tuple[str, list[MachineError]]:
        """Render machines' rows; align columns if there are headings. `layout` is for tabwriter.align.

        A row that lacks what the template reads is left out: return an error for each cause.
        """
        texts: list[str] = []
        unprintable: dict[str, tuple[UsageError, list[str]]] = {}
        for machine, row in rows:
            try:
                texts.append(self.row.render(row))
            except UsageError as exc:
                unprintable.setdefault(exc.cause, (exc, []))[1].append(machine)
        if self.headings is not None:
            texts = align([line for text in [self.headings, *texts] for line in text.split("\n")], **layout)
        errors = [unprintable_rows(error, machines) for error, machines in unprintable.values()]
        return "".join(f"{text}\n" for text in texts), errors


def unprintable_rows(error: UsageError, machines: Iterable[str]) -> MachineError:
    from machinectl.quantities import first_names

    test = Hint("If only some machines have it, test for it first: {{if .Labels.rack}}{{.Labels.rack}}{{end}}")
    return MachineError(f"{error.cause} ({first_names(list(dict.fromkeys(machines)))})", test)


def print_rows(
    headings: Sequence[str], rows: Iterable[TableRow], fitting: Fitting = NO_FITTING, *, as_json: bool
) -> None:
    if as_json:
        print_json([row.fields() for row in rows])
    else:
        write_out(table_text(headings, (row.cells() for row in rows), fitting))


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
