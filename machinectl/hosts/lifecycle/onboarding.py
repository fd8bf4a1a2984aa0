"""Set up the host of a new machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl.errors import CheckFailed, MachineError
from machinectl.hosts.connection.host_lock import lock_host
from machinectl.hosts.connection.login import logged_in, pin_session_key, root_runner
from machinectl.machines.record import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.certs import Pair
    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.host_plan import HostPlan, Outcome
    from machinectl.hosts.lifecycle.setup import Setup
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.target import Allowed
    from machinectl.ssh.client.session import SSHSession


@dataclass(frozen=True)
class Onboarding:
    """How to set up a new host.

    `authority` replaces the machine's own CA. `touching` is called before the host is changed.
    """

    access: Access
    allowed: Allowed
    authority: Pair | None = None
    touching: Callable[[], None] = lambda: None

    def carry_out(self, held: Held, console: Console, ssh: SSHEndpoint) -> list[Outcome]:
        machine = held.machine
        machine.engine.check()  # refuse invalid options before any question
        # Recorded first, so that the next run can resume.
        machine.phase = Phase.PROVISIONING
        held.write()
        with logged_in(machine, console, self.access, ssh=ssh) as session:
            from machinectl.hosts.lifecycle.host_run import RealRun

            setup = self._setup()
            pin_session_key(held, session)
            root = root_runner(session, console, self.access)
            lock_host(root, console, held.name, held.directory)
            run = RealRun(held, console, root, touching=self.touching)
            if not ssh.copy_key:
                return list(setup.carry_out(run).outcomes)
            from machinectl.hosts.connection.authorized_keys import authorize_login_key, remove_authorized_keys

            authorize_login_key(held, console, session, public_key(ssh, self.access.credentials.passphrase))
            try:
                return list(setup.carry_out(run).outcomes)
            except CheckFailed:
                # Leave a refused host unchanged.
                remove_authorized_keys(held, console, session)
                raise

    def plan(self, machine: Machine, console: Console, ssh: SSHEndpoint, store: Store) -> HostPlan:
        machine.engine.check()
        with logged_in(machine, console, replace(self.access, lasting=False), ssh=ssh) as session:
            from machinectl.hosts.lifecycle.host_plan import login_summary
            from machinectl.hosts.lifecycle.host_run import DryRun

            root = root_runner(session, console, self.access)
            plan = self._setup().carry_out(DryRun(store, machine, console, root))
            outcomes = (*self._key_outcome(ssh, session), *plan.outcomes)
            return replace(plan, found=(login_summary(session, root), *plan.found), outcomes=outcomes)

    def _setup(self) -> Setup:
        # Importing it takes 0.1 s.
        from machinectl.hosts.lifecycle.setup import Setup

        return Setup(self.allowed, self.authority, touching=self.touching)

    def _key_outcome(self, ssh: SSHEndpoint, session: SSHSession) -> list[Outcome]:
        if not ssh.copy_key:
            return []
        from machinectl.hosts.connection.authorized_keys import authorized_key_change, authorizing_title
        from machinectl.hosts.lifecycle.host_plan import Outcome

        line = public_key(ssh, self.access.credentials.passphrase)
        change = authorized_key_change(session, line)
        return [Outcome(authorizing_title(change), changed=True, details=(f"add {line}",))] if change else []


def public_key(ssh: SSHEndpoint, passphrase: str | None) -> str:
    """Return the machine's key, else the first that SSH would try."""
    from machinectl.ssh.keys.private_keys import public_line
    from machinectl.ssh.ssh_settings import read_settings

    if ssh.key:
        return public_line(ssh.key, passphrase)
    present = [path for path in read_settings(ssh).keys if os.path.exists(path)]
    if not present:
        raise MachineError("You have no SSH key to copy to the host", "Make one: ssh-keygen -t ed25519")
    return public_line(present[0], passphrase)
