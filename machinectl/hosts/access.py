"""The way to a machine's host: where its driver says that SSH is, who we are there, and the host key that is pinned."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl import driver as drivers
from machinectl.driver import Instance
from machinectl.errors import MachineError
from machinectl.machines.record import Phase
from machinectl.ssh.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.driver import Driver, SSHEndpoint
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.ssh.runner import Runner
    from machinectl.ssh.session import Session

KNOWN_HOSTS = "known_hosts"


@dataclass(frozen=True)
class Access:
    """How this run logs in at hosts, as far as it was told.

    `host_key` is the SHA256 fingerprint that the host's key must have, `strict` refuses a key that nothing is known of.
    `trace` is given each remote command and what it printed.
    """

    credentials: Credentials = field(default_factory=Credentials)
    host_key: str = ""
    strict: bool = False
    trace: Callable[[str], None] | None = field(default=None, compare=False)

    def for_one_host(self) -> Access:
        """The same for one of several hosts: a password that is typed for it is not sent to the others."""
        given = self.credentials
        own = Credentials(password=given.password, passphrase=given.passphrase, sudo_password=given.sudo_password)
        own.passphrases = given.passphrases
        return replace(self, credentials=own)


def driver_of(store: Store, machine: Machine) -> tuple[Driver, Instance]:
    """A machine's driver, and the machine as its driver knows it. Raises MachineError where it was never made."""
    if machine.phase is Phase.CREATING:
        raise MachineError(
            f'The creation of "{machine.name}" was interrupted: nothing is known of its host',
            f"Create it again, or forget it: machinectl rm {machine.name}",
        )
    instance = Instance(machine.name, store.directory(machine.name), machine.driver_state)
    return drivers.load(machine.driver), instance


def ssh_endpoint(store: Store, machine: Machine) -> SSHEndpoint:
    """Where a machine's SSH is. Raises MachineError where it has none."""
    driver, instance = driver_of(store, machine)
    endpoint = driver.ssh(instance)
    if endpoint is None:
        raise MachineError(
            f'"{machine.name}" has no SSH: driver "{machine.driver}" does not know any',
            "Register its host with a driver that does: machinectl create -d generic … NEW-NAME",
        )
    return endpoint


def known_hosts_path(store: Store, name: str) -> str:
    return os.path.join(store.directory(name), KNOWN_HOSTS)


def pinned(store: Store, name: str) -> bytes:
    """The machine's known_hosts, empty before the first contact."""
    path = known_hosts_path(store, name)
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as exc:
        raise MachineError(f"{path} cannot be read: {exc.strerror}", f"See: ls -l {path}") from exc


@contextmanager
def logged_in(
    store: Store, console: Console, machine: Machine, access: Access, *, timeout: float | None = None
) -> Iterator[Session]:
    """A connection to a machine's host; `keep_host_key` is to follow, where the host's key is to be pinned.

    `timeout` in seconds is for each of TCP and the handshake. Raises SSHError, and MachineError where there is no SSH.
    """
    endpoint = ssh_endpoint(store, machine)
    # paramiko takes 150 ms to load: who turns out to have no SSH does not wait for it.
    from machinectl.ssh.connect import connect
    from machinectl.ssh.hostkeys import HostKeyPolicy

    policy = HostKeyPolicy(pinned(store, machine.name), access.host_key, access.strict, machine.name)
    with connect(endpoint, access.credentials, policy, console, timeout=timeout, trace=access.trace) as session:
        yield session


def keep_host_key(store: Store, machine: Machine, session: Session) -> None:
    """Pin the host key that a session was accepted with. The machine's lock must be held."""
    if session.known_hosts != pinned(store, machine.name):
        store.write_file(machine.name, KNOWN_HOSTS, session.known_hosts)


@contextmanager
def as_root(store: Store, console: Console, machine: Machine, access: Access, *, pin: bool = True) -> Iterator[Runner]:
    """What runs commands as root on a machine's host. The machine's lock must be held, for the host's key to be pinned.

    Raises SSHError: RootRefused where the user cannot become root, and what `logged_in` raises.
    """
    with logged_in(store, console, machine, access) as session:
        from machinectl.ssh.sudo import elevate

        if pin:
            keep_host_key(store, machine, session)
        yield elevate(session, access.credentials, console)
