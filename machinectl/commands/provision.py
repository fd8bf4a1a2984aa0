"""`provision` for machines that are registered: what their records ask of their hosts is carried out, or shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl.hosts.access import as_root, elevated, logged_in
from machinectl.hosts.driven import where
from machinectl.hosts.each import each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.errors import MachineError
    from machinectl.hosts.access import Access
    from machinectl.hosts.setup import Outcome, Setup
    from machinectl.machines.store import Held, Store


def provision(
    store: Store,
    console: Console,
    names: Sequence[str],
    access: Access,
    setup: Setup,
    tell: Callable[[str, Console, list[Outcome]], None],
    *,
    dry_run: bool = False,
) -> Iterator[tuple[str, MachineError | None]]:
    """Yield each machine when its host is as it should be, or with the reason why not.

    `tell` is given each machine's name, its console and what its steps came to; with `dry_run` nothing is changed.
    """

    def work(held: Held, console: Console, own: Access) -> None:
        machine = held.machine
        # A machine that was registered only may be known by another URL: its engine will be where its driver says.
        there = where(machine)
        here = replace(setup, url=there.url)
        machine.engine.check()
        if dry_run:
            with logged_in(machine, console, own, ssh=there.ssh) as session:
                outcomes = here.plan(machine, console, elevated(session, console, own), store)
        else:
            with as_root(held, console, own, ssh=there.ssh) as root:
                outcomes = here.carry_out(held, console, root)
        tell(machine.name, console, outcomes)

    return each(store, console, names, access, work, on_record=not dry_run)
