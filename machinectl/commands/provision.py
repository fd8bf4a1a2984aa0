"""`provision` for machines that are registered: what their records ask of their hosts is carried out, or shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.hosts import setup as provisioning
from machinectl.hosts.access import as_root, driver_of
from machinectl.hosts.upkeep import each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.certs import Pair
    from machinectl.console import Console
    from machinectl.errors import MachineError
    from machinectl.hosts.access import Access
    from machinectl.hosts.setup import Outcome
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.provision.wish import Leave


def provision(
    store: Store,
    console: Console,
    names: Sequence[str],
    access: Access,
    leave: Leave,
    tell: Callable[[str, list[Outcome]], None],
    *,
    authority: Pair | None = None,
) -> Iterator[tuple[str, MachineError | None]]:
    """Yield each machine when its host is as it should be, or with the reason why not.

    `tell` is given each machine's name and what its steps came to. `authority` is a CA to use instead of its own.
    """

    def work(machine: Machine, own: Access) -> None:
        # A machine that was registered only may be known by another URL: its engine will be where its driver says.
        driver, instance = driver_of(store, machine)
        machine.url = driver.url(instance)
        wish = leave.wish(machine)
        with as_root(store, console, machine, own, pin=not leave.dry_run) as root:
            outcomes = provisioning.provision(
                store,
                console,
                machine,
                root,
                wish,
                sans=machine.engine.get("tls_sans", ()),
                authority=authority,
                dry_run=leave.dry_run,
            )
        tell(machine.name, outcomes)

    return each(store, console, names, access, work)
