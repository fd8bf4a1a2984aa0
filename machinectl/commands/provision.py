"""`provision` for machines that are registered: what their records ask of their hosts is carried out, or shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl.hosts.access import elevated, logged_in
from machinectl.hosts.driven import where
from machinectl.hosts.each import each
from machinectl.hosts.plan import way_in
from machinectl.hosts.provisioning import provision as carry_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.errors import MachineError
    from machinectl.hosts.access import Access
    from machinectl.hosts.setup import Outcome, Plan, Setup
    from machinectl.machines.store import Held, Store


def provision(
    store: Store,
    console: Console,
    names: Sequence[str],
    access: Access,
    setup: Setup,
    tell: Callable[[str, Console, list[Outcome]], None],
    *,
    planned: Callable[[str, Plan], None] | None = None,
) -> Iterator[tuple[str, MachineError | None]]:
    """Yield each machine when its host is as it should be, or with the reason why not.

    `tell` is given each machine's name, its console and what its steps came to. Where plans are asked for (`planned`),
    nothing is changed.
    """

    def work(held: Held, console: Console, own: Access) -> None:
        if not planned:
            tell(held.name, console, carry_out(held, console, own, setup))
            return
        machine = held.machine
        there = where(machine)
        machine.engine.check()
        with logged_in(machine, console, replace(own, lasting=False), ssh=there.ssh) as session:
            root = elevated(session, console, own)
            plan = replace(setup, url=there.url).plan(machine, console, root, store)
            planned(machine.name, replace(plan, found=(way_in(session, root), *plan.found)))

    return each(store, console, names, access, work, on_record=planned is None)
