"""What a machine's record asks of its host: carried out there, or foretold, over one connection."""

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
    """Make a machine's host what its record says; return what the steps came to. Raises MachineError."""
    with at_host(held, console, access, setup) as carry_out:
        return carry_out()


def change(held: Held, console: Console, access: Access, setup: Setup, edit: Edit) -> list[Outcome]:
    """Ask something else of a machine that is ready, and make its host that.

    Where the host stays as it was, or has its old configuration back, the record asks again what it asked before. What
    ends it otherwise leaves a record that asks what is new, of a host that is to be told. Raises MachineError.
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
    """Log in at a machine's host; what is handed out makes it what the record says."""
    machine = held.machine
    # A machine that was registered only may be known by another URL: its engine will be where its driver says.
    there = endpoints_of(machine)
    machine.engine.check()
    with logged_in_as_root(held, console, access, ssh=there.ssh) as root:
        run = RealRun(held, console, root, there.url, setup.touching)
        yield lambda: list(setup.carry_out(run).outcomes)
    # Who follows the machine may have lost it while its host needed nothing.
    held.touch()


class RecordedState(NamedTuple):
    """What a record asks, where its host is, and whether that is still to be told."""

    spec: MachineSpec
    driver_state: str
    url: str
    tls: bool
    pending: str
    # What of the host's changes was known.
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
        """Put it back on record, but for where the host is if a file was taken for that: there is no other any more."""
        machine = held.machine
        paths = {option.name for option in driver_of(machine).options() if option.path}
        now = RecordedState.by(machine)
        moved_back = paths.isdisjoint(edit.options)
        options = (self if moved_back else now).spec.options
        machine.spec = replace(self.spec, options=options, context=now.spec.context, jump=now.spec.jump)
        if moved_back:
            if machine.driver_state != self.driver_state:
                # A key that was accepted is that of the host which it is not.
                pin_known_hosts(held, self.key)
            machine.driver_state, machine.url, machine.tls, machine.pending = self[1:5]
        else:
            machine.pending = PROVISION
        # What another computer changed meanwhile is not asked again either, and so is news once more.
        machine.revision = self.revision
        held.write()


def foretold(
    machine: Machine, console: Console, access: Access, setup: Setup, store: Store, there: Where | None = None
) -> HostPlan:
    """What `provision` would find and do; neither host nor store is changed. Raises MachineError.

    `there` is where the host and its engine would be, if not where they are.
    """
    there = there or endpoints_of(machine)
    machine.engine.check()
    with logged_in(machine, console, replace(access, lasting=False), ssh=there.ssh) as session:
        root = root_runner(session, console, access)
        plan = setup.carry_out(DryRun(store, machine, console, root, there.url))
        return replace(plan, found=(way_in(session, root), *plan.found))
