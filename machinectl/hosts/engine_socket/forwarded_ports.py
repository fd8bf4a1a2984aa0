"""Forward what containers publish, while a socket is open."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.hosts.connection.login import Access, login_endpoint, pin_first_key
from machinectl.hosts.port_forwarding.open_ports import OpenPorts
from machinectl.hosts.port_forwarding.port_forwarder import FollowedContainers, PortForwarder
from machinectl.hosts.status.present_name import present_name
from machinectl.machines.store.store_paths import NoSuchMachine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.console import Console
    from machinectl.hosts.port_forwarding.open_ports import OpenPort
    from machinectl.machines.store import Store


@contextmanager
def forwarded_ports(store: Store, console: Console, name: str) -> Iterator[None]:
    """Raises MachineError if SSH fails at the start. Later failures are warnings."""
    machine = store.read(name)
    access = Access()
    unpinned = pin_first_key(store, console, machine, access, login_endpoint(machine, console, access))

    def report(port: OpenPort, opened: bool) -> None:
        of_container = f" ({port.wish.container})" if port.wish.container else ""
        console.note(
            f"{port.here} -> {port.wish.port}{of_container}" if opened else f"{port.here} is closed{of_container}"
        )

    ports = OpenPorts(name, console, report)
    with present_name(store, name) as present:
        forwarder = PortForwarder(present, console, access, ports, FollowedContainers(present.endpoint))
        forwarder.start()
        if unpinned:
            console.warn(unpinned)

        def watch() -> None:
            try:
                forwarder.wait()
            except NoSuchMachine:
                # The socket closes, and says so.
                return
            except MachineError as exc:
                console.warn(f"Ports are not forwarded any more: {exc.cause}")

        threading.Thread(target=watch, daemon=True).start()
        try:
            yield
        finally:
            forwarder.close()
