"""Run a script on a host, through OpenSSH if possible, else our own SSH."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl.hosts.login import add_machine_hints, logged_in, login_endpoint, pin_in_store, root_runner
from machinectl.hosts.ssh_config import checked_known_hosts
from machinectl.ssh.openssh.direct_session import CONNECT_SECONDS, NotStarted
from machinectl.ssh.openssh.direct_session import follow as follow_by_system
from machinectl.ssh.openssh.multiplexing import Multiplexing
from machinectl.ssh.openssh.ssh_options import identity_arguments

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.process_streams import Input, StopEvent, WriteOutput
    from machinectl.ssh.session import ScriptRunner


@dataclass(frozen=True)
class RemoteScript:
    """`input` is stdin. `native` forces our own SSH; OpenSSH keeps `connections` open."""

    script: str
    sudo: bool = False
    input: Input | None = None
    native: bool = False
    connections: Multiplexing = field(default_factory=lambda: Multiplexing(enabled=False))


def run_remote_script(
    store: Store, console: Console, name: str, login: Login, order: RemoteScript, say: WriteOutput, over: StopEvent
) -> int | None:
    """Return the exit status, or None if stopped before the start. Pins an unknown host key."""
    machine = store.read(name)
    endpoint = login_endpoint(machine, console, login)
    # OpenSSH needs a pinned host key, and cannot take passwords.
    by_own = order.native or order.sudo or login.needs_login or login.trace or not shutil.which("ssh")
    if not by_own and (known_hosts := checked_known_hosts(machine, endpoint)):
        try:
            words = identity_arguments(endpoint.key, known_hosts, endpoint.jump)
            kept = order.connections.path(endpoint, words)
            return follow_by_system(endpoint, known_hosts, order.script, say, over, input=order.input, kept=kept)
        except NotStarted as exc:
            # Our own SSH can ask for a passphrase, tries other addresses, and has better error messages.
            if not machine.addresses:
                raise_if_unreachable(machine, endpoint, exc)

    def begin() -> tuple[ScriptRunner, ExitStack]:
        with ExitStack() as stack:
            pin = pin_in_store(store, console, machine)
            session = stack.enter_context(logged_in(machine, console, login, ssh=endpoint, quietly=True, pin=pin))
            return root_runner(session, console, login) if order.sudo else session, stack.pop_all()

    # Logging in may block: a silent host, a lock, a prompt.
    begun = over.unless(begin, lambda found: found[1].close())
    if begun is None:
        return None
    runner, connection = begun
    with connection:
        return runner.follow(order.script, say, over, input=order.input)


def raise_if_unreachable(machine: Machine, endpoint: SSHEndpoint, failure: NotStarted) -> None:
    """Raise Unreachable if the host did not answer, to avoid a second timeout."""
    from machinectl.ssh.ssh_errors import connect_error
    from machinectl.ssh.ssh_settings import read_settings

    chosen = read_settings(endpoint)
    if failure.is_silent and chosen.connect_timeout <= CONNECT_SECONDS and chosen.is_direct:
        error = connect_error(chosen, TimeoutError())
        add_machine_hints(error, machine, endpoint)
        raise error from failure
