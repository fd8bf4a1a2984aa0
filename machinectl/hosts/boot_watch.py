"""Wake a host, and watch it shut down and boot."""

from __future__ import annotations

import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.console import SilentConsole
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.hosts.login import logged_in
from machinectl.machines.machine_driver import endpoint_of as engine_endpoint
from machinectl.machines.record import Phase
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine

# Seconds between checks, and seconds per check.
PAUSE = 1.0
LOOK = 5.0
# Seconds for an engine after SSH answers: it starts containers before it listens.
ENGINE_TIMEOUT = 120.0
# Seconds between wake packets until the host answers: a card that is shutting down misses the packet.
WAKE_AGAIN = 10.0
# Changes at each boot (random(4)).
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"

# Prints the MAC address of the network card with the default route.
PRINT_MAC_ADDRESS = (
    """device=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route); """
    """[ -z "$device" ] || cat /sys/class/net/"$device"/address"""
)
# Wake-on-LAN: the card looks for the packet in all traffic; UDP's discard port is customary.
PORT = 9
EVERYBODY = "255.255.255.255"
MAC = re.compile(r"([0-9a-f]{2})([:-])(?:[0-9a-f]{2}\2){4}[0-9a-f]{2}", re.IGNORECASE)


@dataclass(frozen=True)
class HostWatch:
    """Never prompts. `way` is the SSH endpoint; `timeout` (seconds) limits each wait."""

    machine: Machine
    login: Login
    way: SSHEndpoint | None
    timeout: float
    pause: Callable[[float], None] = time.sleep

    def is_up(self) -> bool:
        """Check SSH only."""
        return self.way is not None and not self._is_silent(refused_is_up=False)

    def is_off(self) -> bool:
        return self._is_silent(refused_is_up=True)

    def until_silent(self) -> None:
        """Raise MachineError after the timeout."""
        end = time.monotonic() + self.timeout
        # A host that refuses the connection has stopped sshd but still runs.
        while not self._is_silent(refused_is_up=True):
            if time.monotonic() > end:
                raise MachineError(
                    f'"{self.machine.name}" still answers after {self.timeout:.0f} s',
                    Hint("See what it waits for", "machinectl ssh", self.machine.name, "systemctl", "list-jobs"),
                )
            self.pause(PAUSE)

    def engine_answers(self) -> bool:
        return (
            self.machine.phase == Phase.READY and bool(self.machine.url) and self._ask_engine().state is State.RUNNING
        )

    def until_back(self, *, before: str = "", wake: Callable[[], None] | None = None, with_engine: bool = True) -> None:
        """Wait for SSH and, `with_engine`, the engine.

        `before` is the previous boot's ID; `wake` repeats until SSH answers. Raises MachineError after the timeout.
        """
        if self.way is not None:
            self._until_booted(before, wake)
        # A machine that was never provisioned has no engine.
        if with_engine and self.machine.phase == Phase.READY and self.machine.url:
            self._until_engine_answers()

    def _until_booted(self, before: str, wake: Callable[[], None] | None) -> None:
        from machinectl.ssh.ssh_errors import HostKeyRefused, SSHError

        begun = woken = time.monotonic()
        while True:
            try:
                with logged_in(self.machine, SilentConsole(), self.login, ssh=self.way, timeout=LOOK) as session:
                    if session.run(BOOT_ID, timeout=LOOK).text != before:
                        return
                    why = "it has not shut down"
            except HostKeyRefused:
                raise
            except SSHError as exc:
                why = exc.cause
            now = time.monotonic()
            if now > begun + self.timeout:
                look = "Check that Wake-on-LAN is on in its firmware" if wake else "Look at the host's own screen"
                raise MachineError(
                    f'"{self.machine.name}" is not back after {self.timeout:.0f} s: {why}',
                    Hint(f"{look}; when it is up", "machinectl status", self.machine.name),
                )
            if wake is not None and now > woken + WAKE_AGAIN:
                wake()
                woken = now
            self.pause(PAUSE)

    def _until_engine_answers(self) -> None:
        end = time.monotonic() + (min(self.timeout, ENGINE_TIMEOUT) if self.way else self.timeout)
        while (probe := self._ask_engine()).state is not State.RUNNING:
            if time.monotonic() > end:
                raise MachineError(
                    f'The host of "{self.machine.name}" is back, but not its engine: {probe.error}', probe.hint
                )
            self.pause(PAUSE)

    def _ask_engine(self) -> engine.Probe:
        return engine.probe(engine_endpoint(self.machine), LOOK)

    def _is_silent(self, *, refused_is_up: bool) -> bool:
        from machinectl.ssh.ssh_errors import SSHError
        from machinectl.ssh.ssh_settings import read_settings

        if self.way is None:
            return True
        settings = read_settings(self.way)
        try:
            if not settings.is_direct:
                # Behind a jump host, a refused connection and silence look the same.
                with logged_in(self.machine, SilentConsole(), self.login, ssh=self.way, timeout=LOOK):
                    return False
            socket.create_connection((settings.hostname, settings.port), LOOK).close()
        except (SSHError, OSError, UnicodeError) as exc:
            return not (refused_is_up and ConnectionRefusedError in {type(exc), type(exc.__cause__)})
        return False


def magic_packet(mac: str) -> bytes:
    """Accept 12:34:56:78:9a:bc or dashes (AMD's Magic Packet Technology, publication 20213). Raises UsageError."""
    if not MAC.fullmatch(mac):
        raise UsageError(f"{mac!r} is not a network card's address (MAC)", Hint("Write it as 12:34:56:78:9a:bc"))
    return b"\xff" * 6 + bytes.fromhex(re.sub("[:-]", "", mac)) * 16


def send_wake_packet(mac: str, host: str) -> None:
    """Broadcast, and send to the host, for routers that remember its MAC. Raises MachineError if that fails."""
    data = magic_packet(mac)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        # A broadcast leaves by the default route, unless it is bound to another card's address.
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, PORT))
            sender.bind((probe.getsockname()[0], 0))
        with suppress(OSError):
            sender.sendto(data, (host, PORT))
        try:
            sender.sendto(data, (EVERYBODY, PORT))
        except OSError as exc:
            raise MachineError(
                f"Cannot send the packet that wakes {mac}: {exc.strerror}",
                Hint("See this computer's network", "ip route"),
            ) from exc
