"""Renew the certificates of several machines now, after a question."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.console import confirm, decline
from machinectl.errors import MachineError
from machinectl.hosts.certificate_renewal import plan_renewal, renew
from machinectl.hosts.engine_restart import check_provisioned
from machinectl.hosts.workers import plan_each, work_on_each
from machinectl.machines.holders import holders_of
from machinectl.machines.selection import chosen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.certificate_renewal import Renewal
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Store


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
