"""A command on a machine's host, followed while it runs: by the system's ssh where that can do it, else by our own."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl.hosts.connection.login import logged_in, pin_accepted_key, root_runner
from machinectl.hosts.connection.machine_driver import ssh_endpoint
from machinectl.hosts.connection.openssh_programs import checked_known_hosts
from machinectl.ssh.openssh.batch import CONNECT_SECONDS, NotStarted
from machinectl.ssh.openssh.batch import follow as follow_by_system
from machinectl.ssh.openssh.multiplexing import Multiplexing

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.connection.login import Access
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.process_streams import Input, StopEvent, WriteOutput
    from machinectl.ssh.runner import StreamingRunner

# What ssh says where a host gives no answer.
SILENT = ("timed out", "No route to host", "Host is down", "Network is unreachable")


@dataclass(frozen=True)
class RemoteScript:
    """A script of sh that is to run on hosts, as root with `sudo`; `input` is what it is given.

    `native` is whether our own SSH is asked for; `connections` are those that the system's ssh keeps.
    """

    script: str
    sudo: bool = False
    input: Input | None = None
    native: bool = False
    connections: Multiplexing = field(default_factory=lambda: Multiplexing(enabled=False))


def run_remote_script(
    store: Store, console: Console, name: str, access: Access, order: RemoteScript, say: WriteOutput, over: StopEvent
) -> int | None:
    """Run it on a machine's host, and return its exit status; None where it was over before, when it was ended.

    The key of a host that is met for the first time is pinned. Raises MachineError.
    """
    machine = store.read(name)
    endpoint = ssh_endpoint(machine)
    if known_hosts := known_hosts_for_openssh(machine, endpoint, access, order):
        try:
            control = order.connections.path(machine.directory, endpoint, known_hosts)
            return follow_by_system(endpoint, known_hosts, order.script, say, over, input=order.input, control=control)
        except NotStarted as exc:
            # Our own can ask for a passphrase, and knows better what there is to say.
            raise_if_unreachable(endpoint, exc)

    def begin() -> tuple[StreamingRunner, ExitStack]:
        with ExitStack() as stack:
            session = stack.enter_context(logged_in(machine, console, access, ssh=endpoint, quietly=True))
            pin_accepted_key(store, console, machine, session)
            runner = root_runner(session, console, access) if order.sudo else session
            return runner, stack.pop_all()

    # To log in may take its time: a host that is silent, a lock, a person.
    begun = over.unless(begin, lambda found: found[1].close())
    if begun is None:
        return None
    runner, connection = begun
    with connection:
        return runner.follow(order.script, say, over, input=order.input)


def known_hosts_for_openssh(machine: Machine, endpoint: SSHEndpoint, access: Access, order: RemoteScript) -> str:
    """The machine's known_hosts where the system's ssh can do it as well, else "".

    There is nothing then that it cannot be told, and the host's key is pinned.
    """
    if order.native or order.sudo or access.is_told or access.trace or not shutil.which("ssh"):
        return ""
    return checked_known_hosts(machine, endpoint)


def raise_if_unreachable(endpoint: SSHEndpoint, failure: NotStarted) -> None:
    """Wait for no host a second time that gave no answer. Raises Unreachable."""
    if not any(words in failure.cause for words in SILENT):
        return
    from machinectl.ssh.client.handshake import unreachable
    from machinectl.ssh.ssh_settings import read_settings

    chosen = read_settings(endpoint)
    if chosen.connect_timeout <= CONNECT_SECONDS and not chosen.proxy_jump:
        raise unreachable(chosen, TimeoutError()) from failure
