"""Print what machines' engines have as docker's tables do, with a machine column, or by template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.cli.go import template as gotemplate
from machinectl.cli.go.docker_ps import Fields
from machinectl.cli.go.functions import DOCKERS, OF_HEADINGS
from machinectl.cli.go.tabwriter import DOCKERS_NARROWEST, text_width
from machinectl.cli.tables.fitted_table import Fitting
from machinectl.cli.tables.text_table import RowFormat, table_text, unbroken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from machinectl.errors import MachineError

MACHINE = "Machine"


def rows_text(layout: RowFormat, rows: Iterable[tuple[str, Fields]]) -> tuple[str, list[MachineError]]:
    cells = ((machine, one_row(machine, fields)) for machine, fields in rows)
    return layout.text(cells, narrowest=DOCKERS_NARROWEST, measure=text_width)


def fitted_text(
    rows: Iterable[tuple[str, Fields]], headings: Mapping[str, str], columns: Sequence[str], spare: Sequence[str]
) -> str:
    """Return a table that fits the terminal. `spare` are the columns to leave out first."""
    shown = {MACHINE: "MACHINE", **{name: headings[name] for name in columns}}
    cells = ([fields.get(name, machine) for name in shown] for machine, fields in rows)
    return table_text(list(shown.values()), cells, Fitting(spare=[headings[name] for name in spare]))


def parse_format(text: str, headings: Mapping[str, str], columns: Sequence[str], raw: str) -> RowFormat:
    """Read --format as docker does: a template, table, json or raw."""
    if text == "raw":
        text = f"machine: {{{{.{MACHINE}}}}}\\n{raw}"
    if not text or text.strip() == "table":
        text = "table " + r"\t".join(f"{{{{.{name}}}}}" for name in (MACHINE, *columns))
    headed = text.startswith("table")
    text = text.removeprefix("table").strip(" ")
    headings = {MACHINE: "MACHINE", **headings}
    row = gotemplate.parse_template(
        text, fields=[*headings, "Label"], escapes=True, functions=DOCKERS, methods={"Label": label}
    )
    if not headed:
        return RowFormat(row, None)
    above = gotemplate.parse_template(text, escapes=True, functions=OF_HEADINGS, methods={"Label": heading_of_label})
    return RowFormat(row, above.render(headings))


def one_row(machine: str, fields: Fields) -> Fields:
    """Return a row's fields without characters that break a row or a cell."""
    row = Fields(unbroken({MACHINE: machine, **fields}))
    row.labels = unbroken(fields.labels)
    return row


def label(row: Fields, key: Any) -> str:
    return row.labels.get(str(key), "")


def heading_of_label(_: Any, key: Any) -> str:
    """Return docker's heading: the last part of the key, in words."""
    return str(key).rpartition(".")[2].replace("-", " ").replace("_", " ")
