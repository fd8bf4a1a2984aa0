"""`regenerate-certs`: renew certificates; containers keep running."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.console import confirm, decline
from machinectl.errors import MachineError
from machinectl.hosts.connection.login import Login
from machinectl.hosts.lifecycle.engine_restart import check_provisioned
from machinectl.hosts.parallel.workers import plan_each, work_on_each
from machinectl.hosts.upkeep.certificate_renewal import look_before_renewal, plan_renewal, renew
from machinectl.machines.holders import holders_of
from machinectl.machines.selection import chosen
from machinectl.provision.client_cas import CLIENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.hosts.lifecycle.host_plan import HostPlan
    from machinectl.hosts.upkeep.certificate_renewal import Renewal
    from machinectl.machines.store import Store


def regenerate_certs(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    renewal: Renewal,
    *,
    unasked: bool,
    dry_run: bool = False,
) -> Iterator[tuple[str, HostPlan | MachineError | None]]:
    """Ask first unless `unasked`, but not about machines that fail anyway."""
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
    # A password that is typed for a look counts for the work, too.
    logins = {name: login.for_one_host() for name in able}
    kept: dict[str, list[str]] = {}
    if able and renewal.new_ca and not unasked:
        for name, found in look(store, console, logins, renewal):
            if isinstance(found, MachineError):
                yield name, found
                wanted.remove(name)
                able.remove(name)
            else:
                kept[name] = found
    if able and not unasked and not confirm_renewal(store, console, able, renewal, kept):
        decline(console, "No certificate was changed")
        return
    if wanted:
        yield from work_on_each(
            store,
            console,
            wanted,
            login,
            lambda held, console, own: renew(held, console, logins.get(held.name, own), renewal),
        )


def look(
    store: Store, console: Console, logins: Mapping[str, Login], renewal: Renewal
) -> Iterator[tuple[str, list[str] | MachineError]]:
    """Yield the CAs that stay on each host, or why the host is refused."""
    return plan_each(
        store,
        console,
        [*logins],
        Login(),
        lambda machine, console, _: look_before_renewal(store, machine, console, logins[machine.name], renewal),
    )


def confirm_renewal(
    store: Store, console: Console, names: Sequence[str], renewal: Renewal, kept: Mapping[str, Sequence[str]]
) -> bool:
    restarts = "the engine restarts" if len(names) == 1 else "their engines restart"
    console.note(f"About to make new certificates for {', '.join(names)}: {restarts}, containers keep running.")
    if renewal.new_ca:
        console.note("A new CA signs them: every other client that was given a certificate is locked out.")
        for name in names:
            if holders := [holder.who for holder in holders_of(store.read(name))]:
                console.note(f'The access of {", ".join(holders)} to "{name}" ends.')
            if cas := kept.get(name):
                console.note(
                    f'Clients of CAs that somebody added to {CLIENTS} on the host of "{name}" keep their access: '
                    f"{', '.join(cas)}. To lock them out, too, first delete these CAs there."
                )
    return confirm(console, "Are you sure?", " ".join([renewal.command, *names]))
