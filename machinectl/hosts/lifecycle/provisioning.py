"""Apply a machine's record to its host, or preview that."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import CheckFailed, MachineError, UsageError
from machinectl.hosts.connection.login import (
    logged_in,
    logged_in_as_root,
    pin_known_hosts,
    pinned_known_hosts,
    root_runner,
)
from machinectl.hosts.connection.machine_driver import driver_of, endpoints_of
from machinectl.hosts.lifecycle.host_plan import login_summary
from machinectl.hosts.lifecycle.host_run import DryRun, RealRun
from machinectl.machines.record import PROVISION
from machinectl.provision.decision import EngineDown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from machinectl.console import Console
    from machinectl.driver import Where
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.editing import Edit
    from machinectl.hosts.lifecycle.host_plan import HostPlan, Outcome
    from machinectl.hosts.lifecycle.setup import Setup
    from machinectl.machines.record import Machine
    from machinectl.machines.spec import MachineSpec
    from machinectl.machines.store import Held, Store


def provision(held: Held, console: Console, access: Access, setup: Setup) -> list[Outcome]:
    with at_host(held, console, access, setup) as carry_out:
        return carry_out()


def change_host(held: Held, console: Console, access: Access, setup: Setup, edit: Edit) -> list[Outcome]:
    """Edit a machine, and change its host.

    If the host stays unchanged or rolls back, the edit is undone. After other failures it stays, marked as not
    applied.
    """
    before = RecordedState.by(held.machine)
    edit.carry_out(held)
    held.machine.pending = PROVISION
    held.write()
    reached = False
    try:
        with at_host(held, console, access, setup) as carry_out:
            reached = True
            return carry_out()
    except MachineError as exc:
        if not reached or isinstance(exc, EngineDown | CheckFailed | UsageError):
            before.ask_again(held, edit)
        raise


@contextmanager
def at_host(held: Held, console: Console, access: Access, setup: Setup) -> Iterator[Callable[[], list[Outcome]]]:
    """Log in, and yield a function that applies the record."""
    machine = held.machine
    # The URL may differ from the driver's, where the engine will be.
    there = endpoints_of(machine)
    machine.engine.check()
    with logged_in_as_root(held, console, access, ssh=there.ssh) as root:
        run = RealRun(held, console, root, there.url, setup.touching)
        yield lambda: list(setup.carry_out(run).outcomes)
    # Update contexts even if the host needed nothing.
    held.touch()


class RecordedState(NamedTuple):
    """What to restore if a change fails."""

    spec: MachineSpec
    driver_state: str
    url: str
    tls: bool
    pending: str
    # The host's last known revision.
    revision: dict[str, Any]
    # The pinned host key, in known_hosts format.
    key: bytes

    @classmethod
    def by(cls, machine: Machine) -> Self:
        return cls(
            machine.spec,
            machine.driver_state,
            machine.url,
            machine.tls,
            machine.pending,
            machine.revision,
            pinned_known_hosts(machine),
        )

    def ask_again(self, held: Held, edit: Edit) -> None:
        """Restore the record, but not a location whose file was replaced."""
        machine = held.machine
        paths = {option.name for option in driver_of(machine).options() if option.path}
        now = RecordedState.by(machine)
        moved_back = paths.isdisjoint(edit.options)
        options = (self if moved_back else now).spec.options
        machine.spec = replace(self.spec, options=options, context=now.spec.context, jump=now.spec.jump)
        if moved_back:
            if machine.driver_state != self.driver_state:
                # The accepted key belongs to the rejected host.
                pin_known_hosts(held, self.key)
            machine.driver_state, machine.url, machine.tls, machine.pending = self[1:5]
        else:
            machine.pending = PROVISION
        # Another computer's changes left the record: find them again.
        machine.revision = self.revision
        held.write()


def preview_provisioning(
    machine: Machine, console: Console, access: Access, setup: Setup, store: Store, there: Where | None = None
) -> HostPlan:
    """Return what `provision` would do; `there` is the new location, if it changes."""
    there = there or endpoints_of(machine)
    machine.engine.check()
    with logged_in(machine, console, replace(access, lasting=False), ssh=there.ssh) as session:
        root = root_runner(session, console, access)
        plan = setup.carry_out(DryRun(store, machine, console, root, there.url))
        return replace(plan, found=(login_summary(session, root), *plan.found))
