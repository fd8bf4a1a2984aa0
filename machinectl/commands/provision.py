"""`provision`: make hosts match their records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.hosts.lifecycle.provisioning import preview_provisioning
from machinectl.hosts.lifecycle.provisioning import provision as carry_out
from machinectl.hosts.parallel.workers import plan_each, work_on_each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.errors import MachineError
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.host_plan import HostPlan, Outcome
    from machinectl.hosts.lifecycle.setup import Setup
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store


def provision(
    store: Store,
    console: Console,
    names: Sequence[str],
    access: Access,
    setup: Setup,
    tell: Callable[[str, Console, list[Outcome]], None],
    *,
    planned: Callable[[str, HostPlan], None] | None = None,
) -> Iterator[tuple[str, MachineError | None]]:
    """Pass the outcomes to `tell`."""
    if planned:

        def plan(machine: Machine, console: Console, own: Access) -> None:
            planned(machine.name, preview_provisioning(machine, console, own, setup, store))

        return plan_each(store, console, names, access, plan)

    def work(held: Held, console: Console, own: Access) -> None:
        tell(held.name, console, carry_out(held, console, own, setup))

    return work_on_each(store, console, names, access, work)
