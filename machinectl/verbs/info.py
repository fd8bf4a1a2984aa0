"""The verb `info`."""

from __future__ import annotations

from machinectl.cli.declared_verb import PRINTS, Verb
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.own_flags import LOGIN
from machinectl.errors import LEAVE_ONE_OUT, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.login import Login


VERBS = {
    "info": Verb(
        "info",
        more="Without a name, it prints those of all machines.",
        examples=(
            "machinectl info orionbox",
            "machinectl info --ssh orionbox rigel",
            "machinectl info -f '{{.OperatingSystem}}' orionbox",
        ),
        arguments=(shared.NAMES,),
        flags=(
            Flag("--ssh", help="Log in, too: disk, load, free memory, uptime."),
            shared.GO_TEMPLATE,
            shared.TIMEOUT,
            shared.JSON,
            *LOGIN,
            shared.SELECTOR,
        ),
        output=PRINTS,
    ),
}


def info(
    here: Session, *, names: list[str], login: Login, ssh: bool, template: str, timeout: float, as_json: bool
) -> int:
    from machinectl.cli.go import template as gotemplate
    from machinectl.cli.go.functions import DOCKERS
    from machinectl.cli.tables.results import report_all
    from machinectl.cli.tables.text_table import RowFormat
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
