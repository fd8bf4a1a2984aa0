"""Forward what containers publish, while a socket is open."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.hosts.connection.login import Login
from machinectl.hosts.port_forwarding.open_ports import OpenPorts
from machinectl.hosts.port_forwarding.port_forwarder import FollowedContainers, PortForwarder
from machinectl.hosts.port_forwarding.recurring_changes import RecurringChanges
from machinectl.machines.store.store_paths import NoSuchMachine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.console import Console
    from machinectl.hosts.port_forwarding.open_ports import OpenPort
    from machinectl.hosts.status.present_name import PresentName


@contextmanager
def forwarded_ports(console: Console, name: PresentName) -> Iterator[None]:
    """Raises MachineError if SSH fails at the start. Later failures are warnings."""
    changes = RecurringChanges(name.name, console)

    def report(port: OpenPort, opened: bool) -> None:
        if not changes.note_change(port, opened=opened):
            return
        of_container = f" ({port.wish.container})" if port.wish.container else ""
        console.note(f"{port.here} -> {port.there}" if opened else f"{port.here} is closed{of_container}")

    ports = OpenPorts(name.name, console, report)
    forwarder = PortForwarder(name, console, Login(), ports, FollowedContainers(name.endpoint))
    forwarder.start()

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
