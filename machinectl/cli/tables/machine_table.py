"""Print `ls`; on a terminal, rows fill in as hosts answer."""

from __future__ import annotations

import os
import shutil
import sys

from machinectl.cli.invocation import THIS
from machinectl.cli.output.exit_status import called_text, program_with, report_failures
from machinectl.cli.output.stdout import draw, print_json, print_lines, write_out
from machinectl.cli.output.style import GREEN, MORE, RED, YELLOW, columns, is_drawn_on, printed_sign
from machinectl.cli.tables.machine_rows import MachineRow, machine_rows, parse_filters, query_rows
from machinectl.cli.tables.text_table import (
    Fitting,
    RowFormat,
    cell_text,
    fitted_rows,
    print_fields,
    table_text,
    unbroken,
)
from machinectl.errors import LEAVE_ONE_OUT, UsageError
from machinectl.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

    from machinectl.errors import MachineError
    from machinectl.machines.store import Store

HEADINGS = {
    "Name": "NAME",
    "Active": "ACTIVE",
    "ActiveHost": "ACTIVE_HOST",
    "ActiveSwarm": "ACTIVE_SWARM",
    "DriverName": "DRIVER",
    "State": "STATE",
    "URL": "URL",
    "SwarmOptions": "SWARM_OPTIONS",
    "Swarm": "SWARM",
    "EngineOptions": "ENGINE_OPTIONS",
    "Labels": "LABELS",
    "Error": "ERRORS",
    "DockerVersion": "DOCKER",
    "ResponseTime": "RESPONSE",
}
COLUMNS = ("Name", "Active", "DriverName", "State", "URL", "Swarm", "DockerVersion", "Error")
# Fields that a template can print without querying hosts.
RECORDED_FIELDS = HEADINGS.keys() - {"State", "Error", "DockerVersion", "ResponseTime"}

COLOURS = {State.RUNNING: GREEN, State.TIMEOUT: YELLOW, State.STOPPED: YELLOW, State.ERROR: RED}
FITTING = Fitting(
    below=HEADINGS["Error"],
    spare=(HEADINGS["DriverName"], HEADINGS["DockerVersion"]),
    colours={(HEADINGS["State"], str(state)): colour for state, colour in COLOURS.items()},
)
# ECMA-48: move up, then clear to the end of the screen.
BACK = "\x1b[{lines}A\x1b[J"


def print_machines(
    store: Store,
    *,
    quiet: bool,
    filters: Sequence[str],
    only: Collection[str] | None = None,
    timeout: float,
    template: str,
    as_json: bool,
) -> int:
    """Print the machines that pass the filters; return the exit status. `timeout` is seconds per host.

    As in docker-machine, `quiet` overrides a template.
    """
    if as_json and (quiet or template):
        raise UsageError("--json, and --quiet or --format, exclude each other", LEAVE_ONE_OUT)
    wanted = parse_filters(filters, only)
    layout = parse_row_format(template) if template and not quiet else None
    listed = [row for row in machine_rows(store, os.environ) if wanted.before_asking(row.machine)]
    needs_hosts = wanted.needs_state or not (quiet or (layout and layout.row.fields <= RECORDED_FIELDS))
    live = needs_hosts and not (quiet or layout or as_json or wanted.needs_state) and is_drawn_on(sys.stdout)
    live = live and len(listed) + 2 < shutil.get_terminal_size().lines
    if needs_hosts:
        query_hosts(listed, store, timeout, live=live)
    listed = [row for row in listed if wanted.after_asking(row.state)]
    if quiet:
        print_lines(row.machine.name for row in listed)
    elif as_json:
        print_json([row.fields() for row in listed])
    elif layout:
        text, unprintable = formatted(layout, listed)
        write_out(text)
        return report_failures(unprintable, THIS.name)
    else:
        draw(table_text(headings(), map(machine_cells, listed), FITTING))
    return 0


def print_removed(store: Store, *, only: Collection[str] | None = None, quiet: bool, as_json: bool) -> None:
    """Print removed machines whose hosts are still changed."""
    kept = [machine for machine in store.removed.readable() if only is None or machine.name in only]
    if quiet:
        print_lines(machine.name for machine in kept)
    else:
        rows = [{"Name": machine.name, "URL": machine.url, "Directory": machine.directory} for machine in kept]
        print_fields({"NAME": "Name", "URL": "URL", "KEPT IN": "Directory"}, rows, as_json=as_json)


def query_hosts(listed: Sequence[MachineRow], store: Store, timeout: float, *, live: bool) -> None:
    """Query the hosts; if `live`, redraw the table after each answer, then clear it."""
    drawn = draw_table(listed) if live else 0
    for _ in query_rows(store, listed, timeout):
        if live:
            clear_table(drawn)
            drawn = draw_table(listed)
    if live:
        clear_table(drawn)


def draw_table(listed: Sequence[MachineRow]) -> int:
    # The screen's last line is for the cursor: what has scrolled away cannot be cleared.
    lines = [line for row in fitted_machines(listed, columns(sys.stdout)) for line in row]
    drawn = lines[: shutil.get_terminal_size().lines - 1]
    draw("".join(f"{line}\n" for line in drawn))
    return len(drawn)


def clear_table(drawn: int) -> None:
    draw(BACK.format(lines=drawn))


def fitted_machines(listed: Sequence[MachineRow], width: int) -> list[list[str]]:
    """Return the lines of the headings, and those of each machine."""
    return fitted_rows(headings(), [machine_cells(row) for row in listed], width, FITTING)


def headings() -> list[str]:
    return [HEADINGS[column] for column in COLUMNS]


def machine_cells(row: MachineRow) -> list[str]:
    fields = printed_fields(row, row.plain_fields())
    if row.settled:
        return [cell_text(fields[column]) for column in COLUMNS]
    unknown = printed_sign(MORE, sys.stdout)
    return [unknown if column in {"State", "DockerVersion"} else cell_text(fields[column]) for column in COLUMNS]


def parse_row_format(text: str) -> RowFormat:
    """Parse --format; `table` in front asks for headings (docker-machine's rule)."""
    from machinectl.cli.go.functions import Heading
    from machinectl.cli.go.template import parse_template

    row = parse_template(text.removeprefix("table").strip(" "), fields=HEADINGS, escapes=True)
    headings = {name: Heading(heading) for name, heading in HEADINGS.items()}
    return RowFormat(row, row.render(headings) if text.startswith("table") else None)


def formatted(layout: RowFormat, listed: Sequence[MachineRow]) -> tuple[str, list[MachineError]]:
    return layout.text((row.machine.name, template_fields(row)) for row in listed)


def template_fields(row: MachineRow) -> dict[str, Any]:
    """Return the fields of docker-machine's `ls`: its Go structs have more names than its JSON files."""
    fields = unbroken(printed_fields(row, row.fields()))
    engine, swarm = fields["EngineOptions"], fields["SwarmOptions"]
    return {
        **fields,
        "SwarmOptions": {**swarm, "Env": swarm["Env"] or []},
        "EngineOptions": {**engine, "DNS": engine["Dns"] or [], "TLSVerify": engine["TlsVerify"]},
    }


def printed_fields(row: MachineRow, fields: dict[str, Any]) -> dict[str, Any]:
    """Write the commands as this program was called."""
    return {**fields, "Error": called_text(row.error_with_hint, program_with(THIS.root))}
