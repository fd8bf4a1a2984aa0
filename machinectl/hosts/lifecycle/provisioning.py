"""Apply a machine's record to its host, or find out what that would do, over one connection."""

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
from machinectl.hosts.lifecycle.host_plan import way_in
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
    """Apply a machine's record to its host; return the outcomes. Raises MachineError."""
    with at_host(held, console, access, setup) as carry_out:
        return carry_out()


def change(held: Held, console: Console, access: Access, setup: Setup, edit: Edit) -> list[Outcome]:
    """Edit a machine, and apply the change to its host. Raises MachineError.

    If the host stays unchanged or gets its old configuration back, the edit is undone. After any other failure the
    record keeps the edit, marked as not applied.
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
    """Log in to a machine's host, and yield a function that applies the record."""
    machine = held.machine
    # A registered machine may have another URL: its engine will be where the driver says.
    there = endpoints_of(machine)
    machine.engine.check()
    with logged_in_as_root(held, console, access, ssh=there.ssh) as root:
        run = RealRun(held, console, root, there.url, setup.touching)
        yield lambda: list(setup.carry_out(run).outcomes)
    # Update contexts and the like even if the host needed nothing.
    held.touch()


class RecordedState(NamedTuple):
    """A machine's settings, location and pending work, to be restored if a change fails."""

    spec: MachineSpec
    driver_state: str
    url: str
    tls: bool
    pending: str
    # The host's last known revision.
    revision: dict[str, Any]
    # The host's pinned key, as a known_hosts.
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
        """Restore the record, but not the location if a file was taken over for it: the old file is gone."""
        machine = held.machine
        paths = {option.name for option in driver_of(machine).options() if option.path}
        now = RecordedState.by(machine)
        moved_back = paths.isdisjoint(edit.options)
        options = (self if moved_back else now).spec.options
        machine.spec = replace(self.spec, options=options, context=now.spec.context, jump=now.spec.jump)
        if moved_back:
            if machine.driver_state != self.driver_state:
                # The accepted key belongs to the host that was not kept.
                pin_known_hosts(held, self.key)
            machine.driver_state, machine.url, machine.tls, machine.pending = self[1:5]
        else:
            machine.pending = PROVISION
        # Another computer's changes are no longer in the record, so they must be found again.
        machine.revision = self.revision
        held.write()


def foretold(
    machine: Machine, console: Console, access: Access, setup: Setup, store: Store, there: Where | None = None
) -> HostPlan:
    """Return what `provision` would find and do, without changing anything. Raises MachineError.

    `there` is where the host and its engine would be, if that changes.
    """
    there = there or endpoints_of(machine)
    machine.engine.check()
    with logged_in(machine, console, replace(access, lasting=False), ssh=there.ssh) as session:
        root = root_runner(session, console, access)
        plan = setup.carry_out(DryRun(store, machine, console, root, there.url))
        return replace(plan, found=(way_in(session, root), *plan.found))
