"""The verbs `inspect` and `changes`."""

from __future__ import annotations

from machinectl.cli.declared_verb import PRINTS, Verb
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.errors import LEAVE_ONE_OUT, Hint, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


VERBS = {
    "inspect": Verb(
        "inspect",
        examples=("machinectl inspect -f '{{.Driver.IPAddress}}' orionbox",),
        arguments=(shared.ONE_NAME,),
        flags=(shared.GO_TEMPLATE, Flag("--json", help="Print machinectl's own record as JSON.", parameter="as_json")),
        output=PRINTS,
    ),
    "changes": Verb(
        "changes",
        examples=("machinectl changes orionbox",),
        arguments=(shared.ONE_NAME,),
        flags=(shared.JSON,),
        output=PRINTS,
    ),
}


def inspect(here: Session, *, names: list[str], template: str, as_json: bool) -> None:
    from machinectl.machines.record import access_hint, waits_for_access
    from machinectl.machines.selection import chosen_one

    if template and as_json:
        raise UsageError("--format and --json exclude each other", LEAVE_ONE_OUT)
    if as_json:
        from machinectl.commands.inspect import inspect_fields

        machine = here.store.read(chosen_one(here.store, names))
        print_json(inspect_fields(machine, machine.directory))
        return
    from machinectl.machines.config_json import config_json

    if template:
        from machinectl.cli.go import template as gotemplate

        parsed = gotemplate.parse_template(template)
    machine = here.store.read(chosen_one(here.store, names))
    fields = config_json(machine, machine.directory)
    if waits_for_access(machine):
        here.console.note(f'"{machine.name}" has been {machine.why}', access_hint(machine.name))
    if template:
        write_out(parsed.render(fields) + "\n")
    else:
        print_json(fields)


def changes(here: Session, *, names: list[str], as_json: bool) -> None:
    from machinectl.cli.tables.fitted_table import Fitting
    from machinectl.cli.tables.text_table import print_rows
    from machinectl.commands.changes import changes as command

    name, rows = command(here.store, names)
    fitting = Fitting(spare=("UNDONE",), wrapped=("DONE", "UNDONE"))
    print_rows(["WHEN (UTC)", "DONE", "UNDONE"], rows, fitting, as_json=as_json)
    if as_json:
        return
    if rows:
        here.console.note(
            "The host has these changes", Hint("Undo them, and forget the machine", "machinectl rm --purge", name)
        )
    else:
        here.console.note(f'Nothing was changed on the host of "{name}"')
