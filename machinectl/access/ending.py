"""End a holder's access to machines. It is on record as ending before the host is changed: a kill can be finished."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl.errors import PROVISION, Hint, MachineError, UsageError
from machinectl.hosts.engine_restart import check_provisioned
from machinectl.hosts.holder_cas import forget_holder
from machinectl.hosts.trust_change import distrust_cas, plan_trust, without_cas
from machinectl.hosts.workers import plan_each, work_in_turns
from machinectl.machines import holders
from machinectl.provision.decision import InUse
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.value_classes import replace as replaced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.target import Allowed


def access_end(
    store: Store, console: Console, who: str, names: Sequence[str], login: Login, allowed: Allowed
) -> Iterator[tuple[str, str | MachineError]]:
    """End a holder on each machine; yield its name as on record, or why it is not ended."""

    def work(held: Held, console: Console, own: Login, in_use: bool) -> str | MachineError:
        return end_access(held, console, own, who, replace(allowed, in_use=in_use))

    unable = unendable(store, who, names)
    yield from unable.items()
    yield from work_in_turns(store, console, [name for name in names if name not in unable], login, work)


def unendable(store: Store, who: str, names: Sequence[str]) -> dict[str, MachineError]:
    """Return why the holder cannot be ended on some of the machines, by their records."""
    unable: dict[str, MachineError] = {}
    for name in names:
        try:
            endable_holder(store.read(name), who)
        except MachineError as exc:
            unable[name] = exc
    return unable


def plan_end(
    store: Store, console: Console, who: str, names: Sequence[str], login: Login, allowed: Allowed
) -> Iterator[tuple[str, HostPlan | MachineError]]:
    def plan(machine: Machine, console: Console, own: Login) -> HostPlan:
        holder = endable_holder(machine, who)
        target = without_cas(machine, {holder.ca} - {""}, holder.who)
        return plan_trust(store, machine, console, own, target, allowed)

    return plan_each(store, console, names, login, plan)


def end_access(
    held: Held, console: Console, login: Login, who: str, allowed: Allowed = NOTHING_SPECIAL
) -> str | MachineError:
    """End a holder: the engine refuses it from now on. Return its name as on record.

    Another computer may have given the access: return an error if the host does not list the holder either. It is
    none of the machine's, so it is not recorded there.
    """
    machine = held.machine
    holder = endable_holder(machine, who)
    if not holders.find_holder(machine, who):
        is_ended = distrust_cas(held, console, login, frozenset(), allowed, who)
        return who if is_ended else no_such_holder(machine, who)
    if holder.state != holders.ENDING:
        holders.put_holder(machine, replaced(holder, state=holders.ENDING))
        held.write()
    finish = Hint("finish it later", "machinectl access end", holder.who, machine.name)
    try:
        distrust_cas(held, console, login, {holder.ca}, allowed, holder.who)
    except InUse:
        raise
    except MachineError as exc:
        if exc.leads_to == PROVISION:
            finish = Hint(f"that also ends the access of {holder.who}")
        exc.hint = exc.hint | finish if exc.hint else finish
        exc.cause = f'The access of {holder.who} to "{machine.name}" is not ended yet: {exc.cause}'
        raise
    except KeyboardInterrupt:
        console.note(f'The access of {holder.who} to "{machine.name}" may not be ended yet', finish)
        raise
    forget_holder(held, holder)
    if holders.is_suspended(machine):
        console.note(
            f'"{machine.name}" is reached over SSH only: {holder.who} has no access to it now, and gets none when '
            "its engine listens with TLS again"
        )
    return holder.who


def endable_holder(machine: Machine, who: str) -> holders.AccessHolder:
    """Return the holder, without a CA if it is on no record: another computer may have given it access.

    Raises UsageError for this computer's own access, MachineError if it cannot be ended.
    """
    if error := holders.whom_to_ask(machine):
        raise error
    if who.lower() == holders.OWNER:
        raise own_access(machine.name)
    holder = holders.find_holder(machine, who)
    if holder is None:
        holders.check_holder_name(who)
        try:
            check_provisioned(machine)
        except MachineError:
            raise no_such_holder(machine, who) from None
        return holders.AccessHolder(who)
    if holder.state == holders.EXPIRES:
        until = max((key.until for key in holder.keys), default="")
        raise MachineError(
            f'The access of "{holder.who}" to "{machine.name}" can only expire, on {until[:10]}: its host cannot be '
            "changed without SSH",
            Hint(
                "To end it at once, give the host a new CA by hand",
                "machinectl certs import --force",
                machine.name,
                "<DIR>",
            ),
        )
    return holder


def no_such_holder(machine: Machine, who: str) -> MachineError:
    return MachineError(
        f'"{who}" has no access to "{machine.name}"', Hint("See who has", "machinectl access ls", machine.name)
    )


def own_access(name: str = "") -> UsageError:
    """Return the error for ending the access of this computer, to one machine or to all."""
    whose = f' to "{name}"' if name else ""
    return UsageError(
        f'"{holders.OWNER}" is this computer\'s own access{whose}',
        Hint("Replace it, and lock out all others", "machinectl regenerate-certs --new-ca", name or "<NAME>"),
    )


def machines_of(store: Store, who: str) -> list[str]:
    """Return the machines that the holder has access to. Raises MachineError if there is none."""
    if who.lower() == holders.OWNER:
        raise own_access()
    machines = store.readable()
    names = [machine.name for machine in machines if holders.find_holder(machine, who)]
    if not names:
        for machine in machines:
            own = holders.OwnAccess.of(machine)
            if own and own.who.lower() == who.lower() and (error := holders.whom_to_ask(machine)):
                raise error
        raise MachineError(
            f'"{who}" has access to no machine on record here', Hint("See who has", "machinectl access ls")
        )
    return names


def what_ends(store: Store, names: Sequence[str]) -> str:
    restarting = [name for name in names if not holders.is_suspended(store.read(name))]
    listed = ", ".join(names)
    if not restarting:
        return f"{listed}: no engine restarts (reached over SSH only)"
    return f"{listed}; engines restart, containers keep running: {', '.join(restarting)}"
