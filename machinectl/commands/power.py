"""`start`, `stop`, `restart` and `kill`: switch hosts on and off."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from machinectl.hosts.workers import plan_each, work_on_each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.errors import MachineError
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.hosts.power_switch import PowerSwitch
    from machinectl.machines.store import Store


def switch_power(
    store: Store,
    console: Console,
    verb: str,
    names: Sequence[str],
    login: Login,
    switch: PowerSwitch,
    *,
    dry_run: bool = False,
) -> Iterator[tuple[str, bool | HostPlan | MachineError]]:
    """Yield for each machine whether its state changed."""
    if dry_run:
        return plan_each(store, console, names, login, partial(switch.plan, verb))
    work = {"start": switch.start, "stop": switch.stop, "restart": switch.restart, "kill": switch.kill}[verb]
    return work_on_each(store, console, names, login, work)
