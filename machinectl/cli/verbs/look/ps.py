"""The verbs `ps` and `info`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from machinectl.cli.output.stdout import print_json, print_lines, write_out
from machinectl.cli.tables.results import report_all
from machinectl.errors import UsageError

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.connection.login import Access


def ps(
    here: Session,
    *,
    names: list[str],
    everything: bool,
    filters: list[str],
    template: str,
    last: int,
    latest: bool,
    no_trunc: bool,
    quiet: bool,
    size: bool,
    timeout: float,
    as_json: bool,
) -> int:
    from machinectl.cli.tables.container_table import containers_text, parse_format
    from machinectl.commands.ps import ContainerQuery
    from machinectl.commands.ps import ps as command

    if as_json and (quiet or template):
        raise UsageError("--json, and --quiet or --format, exclude each other", "Leave one of them out")
    printed = parse_format("{{.ID}}" if quiet else template, size=size)
    newest = 1 if latest and last < 0 else last
    wanted = ContainerQuery(everything, newest, size or "Size" in printed.row.fields, filters)
    found = command(here.store, names, wanted, timeout)
    if as_json:
        unasked = {} if wanted.size else {"Size": ""}
        print_json([{"Machine": machine, **fields, **unasked} for machine, fields in found.rows(whole=True)])
    else:
        write_out(containers_text(printed, found.rows(whole=no_trunc)))
    first_steps_where_none(here)
    return report_all(here, found.failures)


def info(
    here: Session, *, names: list[str], access: Access, ssh: bool, template: str, timeout: float, as_json: bool
) -> int:
    from machinectl.commands.info import FIELDS
    from machinectl.commands.info import info as command
    from machinectl.go import template as gotemplate
    from machinectl.go.template_functions import DOCKERS

    if template and as_json:
        raise UsageError("--format and --json exclude each other", "Leave one of them out")
    parsed = gotemplate.parse_template(template, fields=FIELDS, escapes=True, functions=DOCKERS) if template else None
    found, failures = command(here.store, here.console, names, timeout, access if ssh else None)
    if as_json:
        print_json([one.fields() for one in found])
    elif parsed:
        print_lines(parsed.render(one.fields()) for one in found)
    else:
        from machinectl.cli.tables.detail_lines import info_text

        write_out("\n".join(map(info_text, found)))
    return report_all(here, failures)


def first_steps_where_none(here: Session) -> None:
    if sys.stderr.isatty() and not here.store.names():
        from machinectl.commands.ls import first_steps

        here.console.note(first_steps())
