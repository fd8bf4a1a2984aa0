"""`provision`: make hosts match their records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.console import StateNote
from machinectl.hosts.provisioning import preview_provisioning
from machinectl.hosts.provisioning import provision as provision_machine
from machinectl.hosts.workers import plan_each, work_on_each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.errors import MachineError
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.hosts.setup import Setup
    from machinectl.machines.store import Held, Store


def provision(
    store: Store, console: Console, names: Sequence[str], login: Login, setup: Setup, *, dry_run: bool
) -> Iterator[tuple[str, HostPlan | MachineError | None]]:
    if dry_run:
        return plan_each(
            store,
            console,
            names,
            login,
            lambda each, console, own: preview_provisioning(each, console, own, setup, store),
        )

    def work(held: Held, console: Console, own: Login) -> None:
        if not any(each.changed for each in provision_machine(held, console, own, setup)):
            console.note(StateNote(f'"{held.name}" is as it should be: nothing to do'))

    return work_on_each(store, console, names, login, work)
