"""The verbs `inspect` and `changes`."""

from __future__ import annotations

import os

from machinectl.cli.catalogue import PRINTS, Verb
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.errors import LEAVE_ONE_OUT, Hint, UsageError, one_line
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from machinectl.cli.verb_session import Session
    from machinectl.machines.holders import AccessHolder
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.provision.host_changes import Change


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


def inspect_fields(machine: Machine, directory: str) -> dict[str, Any]:
    """Mask secrets. `DriverState` is None unless it is a JSON object."""
    from machinectl.json_values import go_names
    from machinectl.machines.config_json import driver_state
    from machinectl.machines.holders import holders_of
    from machinectl.masking import without_secrets

    return {
        "Name": machine.name,
        "DriverName": machine.driver,
        "Options": without_secrets(machine.options),
        "DriverState": without_secrets(driver_state(machine)),
        "URL": without_secrets(machine.url),
        "TLS": machine.tls,
        "Phase": machine.phase,
        "Made": machine.made,
        "Provision": machine.provision,
        "Context": machine.context,
        "Jump": machine.jump,
        "Addresses": list(machine.addresses),
        "Labels": dict(machine.labels),
        "Engine": go_names(without_secrets(machine.engine.dump())),
        "MAC": machine.mac,
        "Origin": go_names(without_secrets(machine.origin)),
        "Access": go_names(dict(machine.access)),
        "AccessLifetime": machine.lifetime,
        "Holders": [holder_fields(holder) for holder in holders_of(machine)],
        "Pending": machine.pending,
        "Failure": go_names(without_secrets(machine.failure)),
        "LookedAt": machine.last_look,
        # An unknown change may have any type.
        "Changes": [
            go_names(masked) if isinstance(masked := without_secrets(change.dump()), dict) else masked
            for change in machine.changes
        ],
        "Directory": os.path.abspath(directory),
    }


def holder_fields(holder: AccessHolder) -> dict[str, Any]:
    keys = [{"Key": key.key, "Until": key.until, "Request": key.request, "State": key.state} for key in holder.keys]
    words = {"Kind": holder.kind, "CA": holder.ca, "State": holder.state, "By": holder.by, "Since": holder.since}
    return {"Who": holder.who, **words, "Keys": keys}


def changes(here: Session, *, names: list[str], as_json: bool) -> None:
    from machinectl.cli.tables.text_table import Fitting, table_text

    name, changed = changes_of(here.store, names)
    if as_json:
        fields = ("When", "Kind", "About", "Done", "Undo")
        values = ((change.when or None, change.KIND, change.about, change.done, undoing(change)) for change in changed)
        print_json([dict(zip(fields, told, strict=True)) for told in values])
        return
    rows = [
        [change.when.replace("T", " ").removesuffix("Z"), one_line(change.done), one_line(undoing(change))]
        for change in changed
    ]
    fitting = Fitting(spare=("UNDONE",), wrapped=("DONE", "UNDONE"))
    write_out(table_text(["WHEN (UTC)", "DONE", "UNDONE"], rows, fitting))
    if rows:
        here.console.note(
            "The host has these changes", Hint("Undo them, and forget the machine", "machinectl rm --purge", name)
        )
    else:
        here.console.note(f'Nothing was changed on the host of "{name}"')


def changes_of(store: Store, names: Sequence[str]) -> tuple[str, Sequence[Change]]:
    """Return a machine's name and changes, oldest first, even of a removed machine."""
    from machinectl.machines.selection import chosen_one

    name = names[0] if len(names) == 1 else chosen_one(store, names)
    removed = {} if store.exists(name) else {machine.name: machine for machine in store.removed.readable()}
    return name, (removed.get(name) or store.read(name)).changes


def undoing(change: Change) -> str:
    """Return what `rm --purge` does."""
    from machinectl.provision import firewall
    from machinectl.provision.host_changes import PortOpened

    if isinstance(change, PortOpened) and not firewall.is_our_rule(change):
        return "stays: no machinectl has written that record"
    return change.undoing
