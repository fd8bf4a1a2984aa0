"""`access request`: ask the owner of machines for access to them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.access.requesting import (
    KEY,
    REQUEST_FILE,
    AskedMachine,
    check_different,
    note_replaced,
    recorded_request,
    repeated_request,
    signed_request,
    who_asks,
)
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.files.fileset import read_regular_file
from machinectl.files.new_file import check_new_file
from machinectl.machines.docker_machine import check_apart
from machinectl.machines.own_access import OwnAccess
from machinectl.machines.record import Machine, Phase, check_name, waits_for_access
from machinectl.machines.selection import require_names, waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.access.wire.access_request import AccessRequest
    from machinectl.console import Console
    from machinectl.machines.store import Held, Store


def access_request(
    store: Store, console: Console, words: Sequence[str], *, who: str | None = None, output: str = ""
) -> AccessRequest:
    """Make keys and a request for machines, named NAME or LOCAL:NAME. Repeated, it returns the same request.

    For some of the machines that were asked for together, it returns their request, too. A new one needs a new file
    `output`, if that is given.
    """
    require_names(words, "access request")
    who = who_asks(who) if who is not None else ""
    asked = [asked_machine(store, word) for word in words]
    check_different([each.local for each in asked], words)
    check_different([each.asked for each in asked], words)
    if not all(store.exists(each.local) for each in asked):
        check_apart(store.root)
    with ExitStack() as stack:
        # Sorted, so that two runs cannot wait for each other.
        order = sorted(asked, key=lambda each: each.local.lower())
        held = {
            each.local: stack.enter_context(store.writing(each.local, waiting(console, each.local))) for each in order
        }
        there = [store.read(each.local) for each in asked if store.exists(each.local)]
        if again := repeated_request(there, [each.asked for each in asked], who):
            return again
        sender = who or earlier_name(there) or who_asks()
        if output:
            check_new_file(output)
        note_replaced(console, there)
        return made_request(console, held, asked, sender)


def asked_machine(store: Store, word: str) -> AskedMachine:
    """Raise MachineError for a machine that is here and does not wait for access."""
    local, colon, asked = word.rpartition(":")
    if colon and not local:
        raise UsageError(
            f'"{word}" has no name before the colon',
            Hint("To keep the owner's name", "machinectl access request", asked),
        )
    machine = None
    if store.exists(local or asked):
        machine = store.read(local or asked)
    own = OwnAccess.of(machine) if machine and waits_for_access(machine) else None
    if own and not local:
        return AskedMachine(asked, own.asked)
    for name in (local or asked, asked):
        check_name(name, "requesting access to")
    if own is None and machine and OwnAccess.of(machine):
        raise MachineError(
            f'You have access to "{machine.name}" already',
            Hint("Ask for a new certificate", "machinectl access renew", machine.name),
        )
    if own is None and machine:
        raise UsageError(
            f'"{machine.name}" is here already',
            Hint("Give the new one another name", f"machinectl access request <NAME>:{asked}"),
        )
    if own and own.asked != asked:
        raise UsageError(
            f'"{local}" waits for access to "{own.asked}", not to "{asked}"',
            Hint("Forget it first", "machinectl rm", local),
        )
    if not own:
        store.check_free(local or asked)
    return AskedMachine(local or asked, asked)


def earlier_name(machines: Sequence[Machine]) -> str:
    """Return the name that machines wait under, "" if none waits. Raises UsageError for several."""
    names = list(dict.fromkeys(own.who for machine in machines if (own := OwnAccess.of(machine))))
    if len(names) > 1:
        raise UsageError(
            f"These machines were asked for under several names: {', '.join(names)}",
            Hint(f"Choose one: --for {names[0]}"),
        )
    return names[0] if names else ""


def made_request(console: Console, held: dict[str, Held], asked: Sequence[AskedMachine], who: str) -> AccessRequest:
    wanted = [each._replace(key=key_of(held[each.local])) for each in asked]
    request = signed_request(who, wanted)
    for each in wanted:
        own = recorded_request(request, OwnAccess(each.asked, request.sender, request.id, ""))
        files = {KEY: each.key, REQUEST_FILE: request.text().encode()}
        one = held[each.local]
        if one.store.exists(each.local):
            one.write_files(files)
            one.machine.access = own.dump()
            one.write()
            continue
        machine = Machine(each.local, "none", tls=True)
        machine.phase = Phase.CREATING
        machine.access = own.dump()
        if note := one.add(machine, files):
            console.note(note)
    return request


def key_of(held: Held) -> bytes:
    """Return the key of a machine that waits, else a new one."""
    path = os.path.join(held.directory, KEY)
    return read_regular_file(path) if os.path.lexists(path) else certs.new_key()
