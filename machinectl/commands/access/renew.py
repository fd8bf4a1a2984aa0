"""`access renew`: ask for new certificates with the same keys."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from machinectl.access.requesting import (
    KEY,
    REQUEST_FILE,
    AskedMachine,
    note_replaced,
    recorded_request,
    repeated_request,
    signed_request,
)
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError
from machinectl.files.fileset import read_regular_file
from machinectl.files.new_file import check_new_file
from machinectl.machines.own_access import OwnAccess
from machinectl.machines.record import ask_owner, check_ready
from machinectl.machines.selection import matching, waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.access.wire.access_request import AccessRequest
    from machinectl.console import Console
    from machinectl.machines.store import Held, Store


def access_renew(
    store: Store, console: Console, names: Sequence[str], *, output: str = ""
) -> tuple[AccessRequest, str]:
    """Return the request, the same again if it is repeated, and the owner's name.

    Without names, renew all machines that were shared with this computer. A new request needs a new file `output`,
    if that is given.
    """
    chosen = sorted(set(matching(names, store.names)), key=str.lower) or shared_names(store)
    owner = one_owner({name: shared_by(store, name) for name in chosen})
    with ExitStack() as stack:
        held = [stack.enter_context(store.writing(name, waiting(console, name))) for name in chosen]
        asked = [asked_again(each) for each in held]
        machines = [each.machine for each in held]
        if again := repeated_request(machines, [each.asked for each in asked]):
            return again, owner
        if output:
            check_new_file(output)
        note_replaced(console, machines)
        return renewed_request(held, asked), owner


def shared_names(store: Store) -> list[str]:
    """Return the machines that were shared with this computer."""
    found = []
    for name in store.names():
        try:
            own = OwnAccess.of(store.read_ready(name))
        except MachineError:
            continue
        found += [name] if own else []
    if not found:
        raise MachineError(
            "No machine was shared with this computer",
            Hint("Ask its owner for access", "machinectl access request <NAME>"),
        )
    return found


def shared_by(store: Store, name: str) -> str:
    """Return the owner. Raises MachineError for a machine that nobody has shared."""
    store.check_exists(name)
    own = OwnAccess.of(check_ready(store.read(name)))
    if own is None:
        raise MachineError(
            f'"{name}" was not shared with this computer: its certificates are its own',
            Hint("Renew them", "machinectl regenerate-certs --client-certs", name),
        )
    return own.by


def one_owner(by_name: dict[str, str]) -> str:
    """Raise UsageError for machines of several owners: each answers a request of its own."""
    owners = list(dict.fromkeys(by_name.values()))
    if len(owners) > 1:
        hint = NO_HINT
        for owner in owners:
            names = [name for name, by in by_name.items() if by == owner]
            hint |= Hint(f"For {owner}", "machinectl access renew", *names)
        raise UsageError(f"These machines have several owners: {', '.join(owners)}", hint)
    return owners[0]


def asked_again(held: Held) -> AskedMachine:
    own = OwnAccess.of(check_ready(held.machine))
    path = os.path.join(held.directory, KEY)
    if not os.path.lexists(path):
        raise MachineError(f'The key of "{held.name}", {KEY}, is missing here', ask_owner(held.machine))
    key = read_regular_file(path)
    return AskedMachine(held.name, own.asked if own else held.name, key)


def renewed_request(held: Sequence[Held], asked: Sequence[AskedMachine]) -> AccessRequest:
    owns = [own for each in held if (own := OwnAccess.of(each.machine))]
    request = signed_request(owns[0].who, asked)
    for each, own in zip(held, owns, strict=True):
        each.write_files({REQUEST_FILE: request.text().encode()})
        each.machine.access = recorded_request(request, own).dump()
        each.write()
    return request
