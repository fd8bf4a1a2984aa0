"""The ports that are forwarded now, and their numbers on this computer."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.ssh.openssh.master import ForwardedPort, bracketed
from machinectl.ssh.ssh_errors import ConnectionLost
from machinectl.tunnels.local_ports import (
    LOOPBACK,
    TRIES,
    UNPRIVILEGED,
    free_port,
    other_ports,
    usable_addresses,
    why_not,
)
from machinectl.tunnels.published_ports import LOCALHOST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.console import Console
    from machinectl.ssh.openssh.master import Master
    from machinectl.tunnels.published_ports import Wish

# A hostile host could cause endless different ones.
MOST_WARNINGS = 100
# Ports of containers at once. ssh needs a descriptor for each of their addresses here, and has 1024 (see `MOST_FILES`).
MOST_PORTS = 256
# Numbers of ports that are closed, for when they open again.
MOST_NUMBERS = 4096


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
        words: Sequence[str] = (),
    ) -> None:
        """`words` are what the user named to forward. Raises MachineError for an address that this computer lacks."""
        self._machine = machine
        self._words = words
        self._console = console
        self._report = report
        self._addresses = usable_addresses(addresses)
        if not self._addresses:
            raise MachineError(
                f"{addresses[0]} is not an address of this computer",
                Hint("Leave out --bind, or see the addresses", "ip addr"),
            )
        self._connection: Master | None = None
        self._open: dict[Wish, OpenPort] = {}
        # A container that starts again gets the same number, also if a better one is free now: the program that had it
        # may be starting again, too.
        self._numbers: dict[Wish, int] = {}
        self._warnings = DistinctWarnings(console)

    def use(self, connection: Master) -> None:
        """Forward over this connection from now on, and open again what was open. Raises ConnectionLost."""
        self._connection = connection
        before = list(self._open.values())
        if self._listen(before):
            return
        for port in before:
            if self._listen([port]):
                continue
            self._report(port, False)
            try:
                self.open(port.wish)
            except ConnectionLost:
                raise
            except MachineError as exc:
                del self._open[port.wish]
                self._console.warn(f"{exc.cause}: it is no longer forwarded")

    def fixed_numbers(self) -> list[int]:
        """Return the host's ports that were named by number. docker listens on those of containers."""
        return sorted({wish.port for wish in [*self._open] if not wish.container})

    def match(self, wishes: set[Wish]) -> None:
        """Open and close ports of containers, so that these are open. Raises ConnectionLost."""
        gone = [self._open.pop(wish) for wish in [*self._open] if wish.container and wish not in wishes]
        if self._connection and gone:
            self._connection.remove(self._rules(gone))
        for port in gone:
            self._report(port, False)
        # Ports that are open stay open, so that their numbers here do not change.
        wanted = sorted(wishes - self._open.keys(), key=lambda wish: (wish.port, wish.target, wish.container))
        room = MOST_PORTS - sum(bool(wish.container) for wish in self._open)
        for wish in wanted[room : room + 1]:
            self._warnings.warn(
                f"Port {wish.port} of {wish.container} and further ones are not forwarded: "
                f"the limit is {MOST_PORTS} container ports at once",
                Hint("Forward a port of the host by its number", "machinectl forward", self._machine, str(wish.port)),
            )
        if not self._open_at_once(wanted[:room]):
            for wish in wanted[:room]:
                self.open(wish)

    def report_closed(self) -> None:
        """Report that all are closed, once the connection has ended."""
        while self._open:
            _, port = self._open.popitem()
            self._report(port, False)

    def _open_at_once(self, wishes: Sequence[Wish]) -> bool:
        """Open all in one request, with their own numbers; return False if one cannot be used."""
        numbers = {wish: self._numbers.get(wish, wish.port) for wish in wishes}
        if len(set(numbers.values())) < len(numbers) or any(self._why_not(*pair) for pair in numbers.items()):
            return False
        return self._try([OpenPort(self._addresses[0], number, wish) for wish, number in numbers.items()])

    def open(self, wish: Wish) -> None:
        """Open a port. Raises ConnectionLost, or MachineError if its number here was given and cannot be used."""
        reason = ""
        wanted = wish.port if wish.local is None else wish.local
        first = self._numbers.get(wish, wanted)
        numbers = [first] if wish.local else [first, *(other_ports(wanted) if wanted else [0] * TRIES)]
        for number in numbers:
            local = number or free_port(self._addresses[0])
            why = self._why_not(wish, local)
            if not why and self._try([OpenPort(self._addresses[0], local, wish)]):
                break
            if self._connection is None or not self._connection.is_running:
                raise ConnectionLost("The SSH connection was lost")
            # ssh may fail where we did not: another process was faster.
            reason = reason or why or "is in use"
        else:
            free = f"0:{wish.port}"
            words = [free if word == f"{wish.local}:{wish.port}" else word for word in self._words] or [free]
            raise MachineError(
                f"Port {wanted} of this computer {reason}",
                Hint("Use a free one", "machinectl forward", self._machine, *words),
            )
        if reason and first:
            whose = f" for {wish.container}" if wish.container else ""
            self._warnings.warn(f"Port {first} of this computer {reason}: using {local} instead{whose}")

    def _why_not(self, wish: Wish, local: int) -> str:
        """Return why a port cannot have a number here, or "".

        Whoever starts containers on the host chooses their ports, so they get none of those that programs trust.
        """
        reason = why_not(self._addresses, local)
        return reason or ("is below 1024" if wish.container and local < UNPRIVILEGED else "")

    def _try(self, ports: Sequence[OpenPort]) -> bool:
        """Open them, and report it; return False if one cannot be opened."""
        if not self._listen(ports):
            return False
        for port in ports:
            self._open[port.wish] = port
            self._numbers.pop(port.wish, None)
            self._numbers[port.wish] = port.local
            self._report(port, True)
        for wish in [*self._numbers][:-MOST_NUMBERS]:
            del self._numbers[wish]
        return True

    def _listen(self, ports: Sequence[OpenPort]) -> bool:
        """Return False if ssh cannot listen on one; then it listens on none."""
        return not ports or (self._connection is not None and self._connection.add(self._rules(ports)))

    def _rules(self, ports: Sequence[OpenPort]) -> list[ForwardedPort]:
        return [
            ForwardedPort(address, port.local, port.wish.target, port.wish.port)
            for port in ports
            for address in self._addresses
        ]
