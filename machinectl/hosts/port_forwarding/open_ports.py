"""The ports that are forwarded now, and their numbers on this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import MachineError
from machinectl.hosts.port_forwarding.local_ports import LOOPBACK, free_port, other_ports, usable_addresses, why_not
from machinectl.ssh.openssh.forwarding import ForwardedPort, bracketed
from machinectl.ssh.ssh_errors import ConnectionLost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.console import Console
    from machinectl.hosts.port_forwarding.port_words import Wish
    from machinectl.ssh.openssh.forwarding import ForwardingConnection


class OpenPort(NamedTuple):
    """A forwarded port; it listens at `address` and `local`."""

    address: str
    local: int
    wish: Wish

    @property
    def here(self) -> str:
        return f"{bracketed(self.address)}:{self.local}"


class OpenPorts:
    """`report` gets each port that opens (True) or closes (False)."""

    def __init__(
        self,
        machine: str,
        console: Console,
        report: Callable[[OpenPort, bool], object],
        addresses: Sequence[str] = LOOPBACK,
    ) -> None:
        """Raises MachineError for an address that this computer lacks."""
        self._machine = machine
        self._console = console
        self._report = report
        self._addresses = usable_addresses(addresses)
        if not self._addresses:
            raise MachineError(
                f"{addresses[0]} is not an address of this computer", "Leave out --bind, or see the addresses: ip addr"
            )
        self._connection: ForwardingConnection | None = None
        self._open: dict[Wish, OpenPort] = {}

    def use(self, connection: ForwardingConnection) -> None:
        """Forward over this connection from now on, and open again what was open."""
        self._connection = connection
        for port in list(self._open.values()):
            if self._listen(port.wish, port.local):
                continue
            del self._open[port.wish]
            self._report(port, False)
            try:
                self.open(port.wish)
            except MachineError as exc:
                self._console.warn(f"{exc.cause}: it is no longer forwarded")

    def match(self, wishes: set[Wish]) -> None:
        """Open and close ports of containers, so that these are open. Raises ConnectionLost."""
        for wish in [wish for wish in self._open if wish.container and wish not in wishes]:
            port = self._open.pop(wish)
            if self._connection:
                self._connection.remove(self._rules(wish, port.local))
            self._report(port, False)
        for wish in sorted(wishes - self._open.keys(), key=lambda each: (each.port, each.target, each.container)):
            self.open(wish)

    def open(self, wish: Wish) -> None:
        """Open a port. Raises ConnectionLost, or MachineError if its number here was given and cannot be used."""
        reason = ""
        wanted = wish.port if wish.local is None else wish.local
        numbers = [wanted] if wish.local else [wanted, *other_ports(wanted)]
        for number in numbers:
            local = number or free_port(self._addresses)
            reason_now = why_not(self._addresses, local)
            if not reason_now and self._listen(wish, local):
                break
            if self._connection is None or not self._connection.is_running:
                raise ConnectionLost("The SSH connection was lost")
            # ssh may fail where we did not: another process was faster.
            reason = reason or reason_now or "is in use"
        else:
            raise MachineError(
                f"Port {wanted} of this computer {reason}",
                f"Use a free one: machinectl forward {self._machine} 0:{wish.port}",
            )
        if reason and wanted:
            whose = f" for {wish.container}" if wish.container else ""
            self._console.warn(f"Port {wanted} of this computer {reason}: using {local} instead{whose}")
        port = self._open[wish] = OpenPort(self._addresses[0], local, wish)
        self._report(port, True)

    def _listen(self, wish: Wish, local: int) -> bool:
        return self._connection is not None and self._connection.add(self._rules(wish, local))

    def _rules(self, wish: Wish, local: int) -> list[ForwardedPort]:
        return [ForwardedPort(address, local, wish.target, wish.port) for address in self._addresses]
