"""The verb `info`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.tables.results import report_all
from machinectl.cli.tables.text_table import RowFormat
from machinectl.errors import LEAVE_ONE_OUT, UsageError

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.login import Login


def info(
    here: Session, *, names: list[str], login: Login, ssh: bool, template: str, timeout: float, as_json: bool
) -> int:
    from machinectl.cli.go import template as gotemplate
    from machinectl.cli.go.functions import DOCKERS
    from machinectl.commands.info import FIELDS
    from machinectl.commands.info import info as command

    if template and as_json:
        raise UsageError("--format and --json exclude each other", LEAVE_ONE_OUT)
    parsed = gotemplate.parse_template(template, fields=FIELDS, escapes=True, functions=DOCKERS) if template else None
    found, failures = command(here.store, here.console, names, timeout, login if ssh else None)
    if as_json:
        print_json([one.fields() for one in found])
    elif parsed:
        text, unprintable = RowFormat(parsed, None).text((one.machine.name, one.fields()) for one in found)
        write_out(text)
        failures.extend(unprintable)
    else:
        from machinectl.cli.tables.detail_lines import info_text

        write_out("\n".join(map(info_text, found)))
    if not names:
        here.note_empty_store()
    return report_all(here, failures)
