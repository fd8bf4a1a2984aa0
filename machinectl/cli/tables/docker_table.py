"""Print what machines' engines have as docker's tables do, with a machine column, or by template."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from machinectl.cli.go import template as gotemplate
from machinectl.cli.go.docker_lists import Fields
from machinectl.cli.go.functions import DOCKERS, OF_HEADINGS
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.output.style import is_terminal, text_width
from machinectl.cli.tables.text_table import DOCKERS_NARROWEST, Fitting, RowFormat, table_text, unbroken
from machinectl.engine import EngineQuery
from machinectl.hosts.query_engines import MachineStatus, engine_failures, query_engines, recorded_statuses
from machinectl.value_classes import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from machinectl.errors import MachineError
    from machinectl.machines.store import Store

MACHINE = "Machine"


class EngineLists(Frozen):
    """The rows that engines list. `asked` counts the machines, `answered` those whose engine answered."""

    asked: int
    answered: int
    rows: Sequence[tuple[str, Any]]
    failures: list[MachineError]


class Form(Frozen):
    """How rows are printed. `spare` are the columns that a narrow terminal leaves out first."""

    layout: RowFormat
    headings: Mapping[str, str]
    columns: Sequence[str]
    spare: Sequence[str]
    fits: bool
    whole: bool
    as_json: bool


def ask_engines(store: Store, names: Sequence[str], timeout: float, path: str, query: Mapping[str, str]) -> EngineLists:
    """Ask the given machines, or all, for a list; `timeout` is per machine."""
    asked = urlencode({key: value for key, value in query.items() if value})
    machines, missing = recorded_statuses(store, names or store.names(), MachineStatus)
    for _ in query_engines(store, machines, timeout, EngineQuery(f"{path}?{asked}".rstrip("?"), list)):
        pass
    failures = [*missing, *engine_failures(machines)]
    rows = [(one.machine.name, row) for one in machines for row in one.told or ()]
    return EngineLists(len(machines), sum(one.told is not None for one in machines), rows, failures)


def print_answers(answers: EngineLists, fields_of: Callable[..., Iterable[Fields]], form: Form) -> None:
    """Print rows; a template that does not fit a row is a failure."""
    whole = form.as_json or form.whole
    rows = ((machine, fields) for machine, row in answers.rows for fields in fields_of(row, whole=whole))
    if form.as_json:
        print_json([{MACHINE: machine, **fields} for machine, fields in rows])
    elif form.fits and is_terminal(sys.stdout):
        shown = {MACHINE: "MACHINE", **{name: form.headings[name] for name in form.columns}}
        cells = ([fields.get(name, machine) for name in shown] for machine, fields in rows)
        fitting = Fitting(spare=[form.headings[name] for name in form.spare])
        write_out(table_text(list(shown.values()), cells, fitting))
    else:
        text, unprintable = rows_text(form.layout, rows)
        write_out(text)
        answers.failures.extend(unprintable)


def rows_text(layout: RowFormat, rows: Iterable[tuple[str, Fields]]) -> tuple[str, list[MachineError]]:
    cells = ((machine, one_row(machine, fields)) for machine, fields in rows)
    return layout.text(cells, narrowest=DOCKERS_NARROWEST, measure=text_width)


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
