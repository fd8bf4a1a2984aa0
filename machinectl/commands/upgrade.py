"""`upgrade`: upgrade engines with the hosts' package managers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.hosts.engine_upgrade import plan_upgrade, upgrade_engine
from machinectl.hosts.workers import plan_each, work_on_each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.errors import MachineError
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Store
    from machinectl.provision.target import Allowed


def upgrade(
    store: Store, console: Console, names: Sequence[str], login: Login, allowed: Allowed, *, dry_run: bool
) -> Iterator[tuple[str, HostPlan | MachineError | None]]:
    """`allowed.yes` permits more than a patch release."""
    if dry_run:
        return plan_each(
            store, console, names, login, lambda each, console, own: plan_upgrade(store, each, console, own, allowed)
        )
    return work_on_each(
        store, console, names, login, lambda held, console, own: upgrade_engine(held, console, own, allowed)
    )
