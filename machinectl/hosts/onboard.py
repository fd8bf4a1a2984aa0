"""How a new machine's host is made an engine host: log in, take its key for the machine's own, provision."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.hosts.access import keep_host_key, logged_in
from machinectl.machines.record import Phase

if TYPE_CHECKING:
    from machinectl.certs import Pair
    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.access import Access
    from machinectl.hosts.setup import Outcome
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.provision.wish import Leave


@dataclass(frozen=True)
class Onboarding:
    """How to log in at the host, what may be done there, and the CA to use instead of one of the machine's own."""

    access: Access
    leave: Leave
    authority: Pair | None = None

    def carry_out(self, store: Store, console: Console, machine: Machine, ssh: SSHEndpoint | None) -> list[Outcome]:
        """Make the host an engine host; return what its steps came to. The machine's lock must be held."""
        wish = self.leave.wish(machine)  # what is not understood is refused before anybody is asked
        # What the driver has made is in the record before the host is touched: whatever ends this can be resumed.
        machine.phase = Phase.PROVISIONING
        store.write(machine)
        with logged_in(store, console, machine, self.access) as session:
            # Loaded for a host that is set up alone, and while that starts our shells: its first takes 0.1 s.
            from machinectl.hosts.setup import provision
            from machinectl.ssh.sudo import elevate

            keep_host_key(store, machine, session)
            if ssh and ssh.copy_key and not self.leave.dry_run:
                from machinectl.ssh.files import copy_key

                copy_key(session, public_key(ssh, self.access.credentials.passphrase))
            return provision(
                store,
                console,
                machine,
                elevate(session, self.access.credentials, console),
                wish,
                sans=machine.engine.get("tls_sans", ()),
                authority=self.authority,
                dry_run=self.leave.dry_run,
            )


def public_key(ssh: SSHEndpoint, passphrase: str | None) -> str:
    """The key to be let in with from now on: the machine's own, else the first that the user's SSH would try."""
    from machinectl.ssh.keys import public_line
    from machinectl.ssh.settings import settings

    if ssh.key:
        return public_line(ssh.key, passphrase)
    present = [path for path in settings(ssh).keys if os.path.exists(path)]
    if not present:
        raise MachineError("There is no key of yours to let in", "Make one: ssh-keygen -t ed25519")
    return public_line(present[0], passphrase)
