"""The ports that are forwarded now, and their numbers on this computer."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.ssh.openssh.master import ForwardedPort, bracketed
from machinectl.ssh.ssh_errors import ConnectionLost
from machinectl.tunnels.published_ports import HIGHEST, LOCALHOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.ssh.openssh.master import Master
    from machinectl.tunnels.published_ports import Wish

LOOPBACK = ("127.0.0.1", "::1")
# Ports below this one need root, unless the kernel is set otherwise.
UNPRIVILEGED = 1024
# 8080 for 80, 15432 for 5432.
WEB, STEP = 8000, 10000
# Tries until a free port is free on each address.
TRIES = 10
REASONS = {errno.EADDRINUSE: "is in use", errno.EACCES: "needs root"}
# The address is not one of this computer's; or it has no IPv6.
FOREIGN = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
# A hostile host could cause endless different ones.
MOST_WARNINGS = 100
# Ports of containers at once. ssh needs a descriptor for each of their addresses here, and has 1024 (see `MOST_FILES`).
MOST_PORTS = 256
LOST = "The SSH connection was lost"


class DistinctWarnings:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: set[str] = set()

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        if text not in self._said and len(self._said) < MOST_WARNINGS:
            self._said.add(text)
            self._console.warn(text, hint)


class OpenPort(NamedTuple):
    """A forwarded port; it listens at `address` and `local`."""

    address: str
    local: int
    wish: Wish

    @property
    def here(self) -> str:
        return f"{bracketed(self.address)}:{self.local}"

    @property
    def there(self) -> str:
        """The port on the host, with its address if it is not the host's loopback."""
        wish = self.wish
        is_loopback = wish.target == LOCALHOST or ip_address(wish.target).is_loopback
        text = str(wish.port) if is_loopback else f"{bracketed(wish.target)}:{wish.port}"
        return f"{text} ({wish.container})" if wish.container else text

    @property
    def closed(self) -> str:
        return f"{self.here} is closed{self.wish.container and f' ({self.wish.container})'}"


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
        self._report = report
        # Without those that this computer lacks, such as ::1 without IPv6.
        self._addresses = [address for address in addresses if listening_error(address, 0) not in FOREIGN]
        if not self._addresses:
            raise MachineError(
                f"{addresses[0]} is not an address of this computer",
                Hint("Leave out --bind, or see the addresses", "ip addr"),
            )
        self._connection: Master | None = None
        self._open: dict[Wish, OpenPort] = {}
        # A container that starts again gets the same number: the program that had its own may start again, too.
        self._numbers: dict[Wish, int] = {}
        self._warnings = DistinctWarnings(console)

    def use(self, connection: Master) -> None:
        """Forward over this connection from now on, also what was open. Raises ConnectionLost."""
        self._connection = connection
        for port in [*self._open.values()]:
            if self._listen(port):
                continue
            if not connection.is_running:
                raise ConnectionLost(LOST)
            del self._open[port.wish]
            self._report(port, False)
            self._warnings.warn(f"{port.here} is in use by another program: {port.there} is not forwarded any more")

    def match(self, wishes: set[Wish]) -> None:
        """Open and close ports of containers, so that these are open. Raises ConnectionLost."""
        for port in [port for wish, port in self._open.items() if wish.container and wish not in wishes]:
            del self._open[port.wish]
            if self._connection:
                self._connection.remove(self._rules(port))
            self._report(port, False)
        # Ports that are open stay open, so that their numbers here do not change.
        wanted = sorted(wishes - self._open.keys(), key=lambda wish: (wish.port, wish.target, wish.container))
        room = MOST_PORTS - sum(bool(wish.container) for wish in self._open)
        for wish in wanted[:room]:
            self.open(wish)
        if wanted[room:]:
            self._warnings.warn(
                f"Port {wanted[room].port} and further ones are not forwarded: {MOST_PORTS} of containers are the limit"
            )

    def report_closed(self) -> None:
        """Report that all are closed, once the connection has ended."""
        while self._open:
            _, port = self._open.popitem()
            self._report(port, False)

    def open(self, wish: Wish) -> None:
        """Open a port. Raises ConnectionLost, or MachineError if its number here was given and cannot be used."""
        reason = ""
        wanted = wish.port if wish.local is None else wish.local
        first = self._numbers.get(wish, wanted)
        numbers = [first] if wish.local else [first, *other_numbers(wanted)]
        for number in numbers:
            port = OpenPort(self._addresses[0], number or free_port(self._addresses[0]), wish)
            why = why_not(self._addresses, port.local)
            # Whoever starts containers on the host chooses their ports: they get none of those that programs trust.
            if wish.container and port.local < UNPRIVILEGED:
                why = why or "is below 1024"
            if not why and self._listen(port):
                break
            if self._connection is None or not self._connection.is_running:
                raise ConnectionLost(LOST)
            # ssh may fail where we did not: another process was faster.
            reason = reason or why or "is in use"
        else:
            raise MachineError(
                f"Port {wanted} of this computer {reason}",
                Hint("Use a free one", "machinectl forward", self._machine, f"0:{wish.port}"),
            )
        self._open[wish] = port
        self._numbers[wish] = port.local
        self._report(port, True)
        if reason and first:
            whose = f" for {wish.container}" if wish.container else ""
            self._warnings.warn(f"Port {first} of this computer {reason}: using {port.local} instead{whose}")

    def _listen(self, port: OpenPort) -> bool:
        """Return False if ssh cannot listen on one of the addresses; then it listens on none."""
        return self._connection is not None and self._connection.add(self._rules(port))

    def _rules(self, port: OpenPort) -> list[ForwardedPort]:
        return [ForwardedPort(address, port.local, port.wish.target, port.wish.port) for address in self._addresses]


def why_not(addresses: Sequence[str], port: int) -> str:
    """Return why nobody can listen there now, or ""."""
    for address in addresses:
        if number := listening_error(address, port):
            return REASONS.get(number) or f"cannot be used: {errno.errorcode.get(number, number)}"
    return ""


def other_numbers(port: int) -> Iterator[int]:
    """Yield numbers to use instead; 0 is any free one."""
    if 0 < port < UNPRIVILEGED:
        yield WEB + port
    if 0 < port <= HIGHEST - STEP:
        yield port + STEP
    yield from [0] * TRIES


def free_port(address: str) -> int:
    with bound_socket(address, 0) as listener:
        return int(listener.getsockname()[1])


def listening_error(address: str, port: int) -> int:
    """Return errno, or 0."""
    try:
        bound_socket(address, port).close()
    except OSError as exc:
        return exc.errno or errno.EINVAL
    return 0


def bound_socket(address: str, port: int) -> socket.socket:
    """Listen as ssh does. Raises OSError."""
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
        bound.listen()
    except BaseException:
        bound.close()
        raise
    return bound
