"""`access end`: end a holder's access to machines."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl.access.granting import (
    NotOnRecord,
    end_access,
    endable_holder,
    no_such_holder,
    own_access,
)
from machinectl.access.requesting import whom_to_ask
from machinectl.console import confirm, decline
from machinectl.errors import Hint, MachineError
from machinectl.hosts.engine_restart import check_provisioned
from machinectl.hosts.login import Login
from machinectl.hosts.trust_change import distrust_cas, look_for_holder, plan_trust, without_cas
from machinectl.hosts.workers import plan_each, work_in_turns
from machinectl.machines.holders import OWNER, find_holder, is_suspended
from machinectl.machines.own_access import OwnAccess
from machinectl.machines.store.machine_store import read_or_none
from machinectl.provision.target import NOTHING_SPECIAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.target import Allowed


@dataclass(frozen=True)
class EndOrder:
    """`options` are words to repeat the command with, `chosen_by` what chose the machines, unless they were named."""

    who: str
    names: Sequence[str]
    allowed: Allowed = NOTHING_SPECIAL
    yes: bool = False
    chosen_by: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def access_end(
    store: Store, console: Console, order: EndOrder, login: Login
) -> Iterator[tuple[str, str | MachineError]]:
    """Ask first, but not about machines that fail anyway. Yield each machine with the holder's name or an error."""
    # A holder's name that was mistyped is no failure of the machine, to be recorded there.
    unable = {name: error for name in order.names if (error := why_not_ended(store, name, order.who))}
    # A password that is typed for a look counts for the work, too.
    logins = {name: login.for_one_host() for name, error in unable.items() if isinstance(error, NotOnRecord)}
    elsewhere: dict[str, dict[str, str]] = {}
    for name, found in look_elsewhere(store, console, order.who, logins):
        if isinstance(found, MachineError):
            unable[name] = found
        else:
            elsewhere[name] = found
            console.note(f"{unable.pop(name).cause}, but its engine accepts {', '.join(found.values())}")
    able = [name for name in order.names if name not in unable]
    if able and not order.yes:
        restarting = [name for name in able if not is_suspended(store.read(name))]
        console.note(f"About to end the access of {order.who} to {', '.join(able)}: {what_restarts(able, restarting)}.")
        again = ["machinectl", "access", "end", "-y", order.who, *(order.chosen_by or able), *order.options]
        if not confirm(console, "Are you sure?", shlex.join(again)):
            decline(console, "No access was ended")
            return

    def work(held: Held, console: Console, own: Login, in_use: bool) -> str:
        allowed = replace(order.allowed, in_use=in_use)
        if cas := elsewhere.get(held.name):
            distrust_cas(held, console, logins[held.name], cas.keys(), allowed)
            return order.who
        return end_access(held, console, own, order.who, allowed)

    for name, error in unable.items():
        yield name, error
    yield from work_in_turns(store, console, able, login, work)


def look_elsewhere(
    store: Store, console: Console, who: str, logins: Mapping[str, Login]
) -> Iterator[tuple[str, dict[str, str] | MachineError]]:
    """Look for access that another computer has given: yield each machine with the holder's CAs, or an error."""

    def look(machine: Machine, console: Console, _: Login) -> dict[str, str]:
        return given_elsewhere(store, machine, console, logins[machine.name], who)

    return plan_each(store, console, [*logins], Login(), look) if logins else iter(())


def given_elsewhere(store: Store, machine: Machine, console: Console, login: Login, who: str) -> dict[str, str]:
    """Return the subjects of a holder's CAs that the engine accepts, by digest. Raises MachineError without any."""
    missing = no_such_holder(machine, who)
    try:
        check_provisioned(machine)
    except MachineError:
        raise missing from None
    try:
        found = look_for_holder(store, machine, console, login, who)
    except MachineError as exc:
        raise MachineError(f"{missing.cause}, and its host cannot be asked: {exc.cause}", exc.hint) from exc
    if not found:
        raise no_such_holder(machine, who, where="")
    return found


def what_restarts(names: Sequence[str], restarting: Sequence[str]) -> str:
    if not restarting:
        return "no engine restarts (reached over SSH only)"
    if len(restarting) < len(names):
        restart = "the engine of {} restarts" if len(restarting) == 1 else "the engines of {} restart"
        return f"only {restart.format(', '.join(restarting))}, containers keep running"
    return f"{'the engine restarts' if len(names) == 1 else 'their engines restart'}, containers keep running"


def why_not_ended(store: Store, name: str, who: str) -> MachineError | None:
    try:
        endable_holder(store.read(name), who)
    except MachineError as exc:
        return exc
    return None


def plan_end(
    store: Store, console: Console, order: EndOrder, login: Login
) -> Iterator[tuple[str, HostPlan | MachineError]]:
    def plan(machine: Machine, console: Console, own: Login) -> HostPlan:
        try:
            holder = endable_holder(machine, order.who)
        except NotOnRecord:
            cas = given_elsewhere(store, machine, console, own, order.who)
            return plan_trust(store, machine, console, own, without_cas(machine, cas.keys()), order.allowed)
        return plan_trust(store, machine, console, own, without_cas(machine, {holder.ca}, holder.who), order.allowed)

    return plan_each(store, console, order.names, login, plan)


def holders_machines(store: Store, who: str) -> list[str]:
    machines = [machine for name in store.names() if (machine := read_or_none(store.read, name))]
    return [machine.name for machine in machines if find_holder(machine, who)]


def machines_of(store: Store, who: str) -> list[str]:
    """Return the machines that the holder has access to. Raises MachineError if there is none."""
    if who.lower() == OWNER:
        raise own_access()
    found = holders_machines(store, who)
    if not found:
        for name in store.names():
            machine = read_or_none(store.read, name)
            own = OwnAccess.of(machine) if machine else None
            if machine and own and own.who.lower() == who.lower() and (error := whom_to_ask(machine)):
                raise error
        raise MachineError(
            f'"{who}" has access to no machine on record here', Hint("See who has", "machinectl access ls")
        )
    return found
