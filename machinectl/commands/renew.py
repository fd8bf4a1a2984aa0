"""`renew`, also as `regenerate-certs`, and the unattended `renew --due`."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from machinectl.console import confirm, decline
from machinectl.errors import Hint, MachineError
from machinectl.hosts.certificate_renewal import plan_renewal, renew
from machinectl.hosts.engine_restart import check_provisioned
from machinectl.hosts.expiry import due_certificates, expires_soon
from machinectl.hosts.rollout_order import RolloutOrder
from machinectl.hosts.workers import locked_machine, plan_each, run_at_once, work_on_each
from machinectl.machines.holders import holders_of
from machinectl.machines.record import Phase, waits_for_access
from machinectl.machines.selection import chosen, matching
from machinectl.provision.decision import EngineDown
from machinectl.renewal.due_renewal import (
    RenewalResult,
    is_renewed_here,
    others_certificates,
    plan_due_renewal,
    renew_due,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.certificate_renewal import Renewal
    from machinectl.hosts.expiry import Due, LifetimeLeft
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

SKIPPED = "skipped, as another run of machinectl works on it"
NOT_BEGUN = "not begun, as another engine did not come up with its new certificate"


def renew_now(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    renewal: Renewal,
    *,
    unasked: bool,
    dry_run: bool = False,
) -> Iterator[tuple[str, HostPlan | MachineError | None]]:
    """Ask first unless `unasked`, but not about machines that fail anyway. Containers keep running."""
    if dry_run:
        yield from plan_each(
            store, console, names, login, lambda each, console, own: plan_renewal(store, each, console, own, renewal)
        )
        return
    wanted = list(dict.fromkeys(chosen(store, names)))
    able = []
    for name in wanted:
        with suppress(MachineError):
            check_provisioned(store.read(name))
            able.append(name)
    if able and not unasked and not confirm_renewal(store, console, able, renewal):
        decline(console, "No certificate was changed")
        return
    yield from work_on_each(
        store, console, wanted, login, lambda held, console, own: renew(held, console, own, renewal)
    )


def confirm_renewal(store: Store, console: Console, names: Sequence[str], renewal: Renewal) -> bool:
    restarts = "the engine restarts" if len(names) == 1 else "their engines restart"
    console.note(f"About to make new certificates for {', '.join(names)}: {restarts}, containers keep running.")
    if renewal.new_ca:
        console.note("A new CA signs them: whoever else has a certificate of the old one is locked out.")
        for name in names:
            if holders := [holder.who for holder in holders_of(store.read(name))]:
                console.note(f'The access of {", ".join(holders)} to "{name}" ends.')
    return confirm(console, "Are you sure?", " ".join([renewal.command, *names]))


class LockedElsewhere(MachineError):
    """Another process has locked a machine, which has time."""


def leave_locked(name: str, due: Due) -> None:
    """Raise LockedElsewhere, or MachineError if a certificate expires soon. The other run may wait for an answer."""
    has_time = not any(expires_soon(*each, datetime.now(UTC)) for each in due.validities)
    kind = LockedElsewhere if has_time else MachineError
    raise kind(f'Another run of machinectl works on "{name}"', Hint("Run it again later", "machinectl renew --due"))


def renew_unless_locked(
    store: Store, console: Console, name: str, due: Due, login: Login, window: LifetimeLeft
) -> RenewalResult:
    try:
        with locked_machine(store, console, name, partial(leave_locked, name, due)) as held:
            return renew_due(held, console, login, window)
    except LockedElsewhere:
        return RenewalResult(until=due.until, waiting=SKIPPED)


def renew_due_certificates(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    window: LifetimeLeft,
    *,
    dry_run: bool = False,
) -> Iterator[tuple[str, RenewalResult | HostPlan | MachineError]]:
    """Renew those of all machines, or of the named ones. Engines restart one at a time.

    If one does not come up, no other restarts in this run. It is the last in the next one, so that it holds up nobody.
    """
    due: dict[str, tuple[Machine, Due]] = {}
    for name in dict.fromkeys(matching(names, store.names) or store.names()):
        try:
            machine = store.read(name)
            found = due_certificates(machine, window, datetime.now(UTC))
            if not found.any or machine.phase == Phase.CREATING:
                waiting = "waiting for access" * waits_for_access(machine)
                yield name, RenewalResult(until=found.until, waiting=waiting)
            elif not is_renewed_here(machine):
                yield name, others_certificates(machine, found)
            else:
                due[name] = machine, found
        except MachineError as exc:
            yield name, exc
    down: set[str] = set()

    def one(name: str, console: Console) -> RenewalResult | HostPlan:
        own = login.for_one_host()
        if dry_run:
            return plan_due_renewal(store, due[name][0], console, own, window)
        try:
            return renew_unless_locked(store, console, name, due[name][1], own, window)
        except EngineDown:
            down.add(name)
            raise

    restarting = {name for name, (_, found) in due.items() if found.server} if not dry_run else set()
    again = {name for name, (machine, _) in due.items() if machine.failure}
    for group in (due.keys() - again, again):
        barred = group & restarting if down else set()
        order = RolloutOrder(group - barred, rolled=restarting, counts=down.__contains__)
        yield from run_at_once(console, order.waiting, one, order=order)
        for name in (*barred, *order.stopped):
            yield name, RenewalResult(until=due[name][1].until, waiting=NOT_BEGUN)
