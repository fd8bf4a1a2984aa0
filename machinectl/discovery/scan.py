"""Scan addresses and match them with machines."""

from __future__ import annotations

import ipaddress
import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl import url as engine_url
from machinectl.descriptors import fitting_jobs
from machinectl.discovery.port_sweep import PortSweep, SweepTarget
from machinectl.discovery.services import FoundService, identify_service
from machinectl.errors import MachineError
from machinectl.hosts.machine_states import driver_or_none, ssh_endpoint_or_none
from machinectl.name_resolution import NameLookups, addresses_of, host_name_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Mapping

    from machinectl.driver import Driver
    from machinectl.machines.store import Store

# Sockets at once: a /24 is scanned at both ports in one go. An unused LAN address occupies the kernel's neighbour table
# for three seconds, twice the time spent on it. The table holds 1,024 (net.ipv4.neigh.default.gc_thresh3); packets to
# further addresses are lost.
SOCKETS = 680
# Descriptors for other purposes, and threads that identify services, each with a possible second connection.
BESIDES, AT_WORK = 64, 48
# Seconds to wait for names after the scan.
NAMES_TIMEOUT = 0.8
# Seconds between checks for ^C while nothing happens.
HEARD = 0.2


@dataclass
class FoundHost:
    address: str
    services: dict[int, FoundService] = field(default_factory=dict)
    name: str = ""
    machines: list[str] = field(default_factory=list)

    def in_order(self) -> list[FoundService]:
        return [self.services[port] for port in sorted(self.services)]

    def fields(self) -> dict[str, Any]:
        ports = [service.fields() for service in self.in_order()]
        return {"Address": self.address, "Name": self.name, "Machines": self.machines, "Ports": ports}


class NetworkScan:
    """`timeout` (seconds) applies per connection and service.

    `hosts` works after an interrupted `run`, too. `refusing` counts other addresses that refused; `no_way` counts
    targets without a route.
    """

    def __init__(self, store: Store, targets: Iterable[SweepTarget], timeout: float, sockets: int = SOCKETS) -> None:
        self._sockets = sockets
        self._store = store
        self._timeout = timeout
        self._sweep = PortSweep(targets, timeout)
        self._found: dict[str, FoundHost] = {}
        self._names = NameLookups(host_name_of)
        self._work: queue.SimpleQueue[tuple[SweepTarget, socket.socket]] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[SweepTarget, FoundService]] = queue.SimpleQueue()
        self._crew = 0
        # Open connections to services not identified yet.
        self._held = 0

    @property
    def refusing(self) -> int:
        return len(self._sweep.refusing - self._found.keys())

    @property
    def no_way(self) -> int:
        return self._sweep.no_way

    def hosts(self) -> list[FoundHost]:
        return sorted(
            self._found.values(), key=lambda host: ipaddress.get_mixed_type_key(ipaddress.ip_address(host.address))
        )

    def run(self) -> None:
        """Raise MachineError if no socket can be opened."""
        most = fitting_jobs(self._sockets, besides=BESIDES + AT_WORK)
        known = MachineAddresses(self._store)
        try:
            while self._held or not self._sweep.done:
                for target, sock in self._sweep.step(most - self._held):
                    self._hand_over(target, sock)
                self._take_results(wait=not self._sweep.waiting and self._held > 0)
        finally:
            self._sweep.close()
            self._take_results(wait=False)
            names, whose = self._names.answers(NAMES_TIMEOUT), known.by_address(NAMES_TIMEOUT)
            for host in self._found.values():
                host.name, host.machines = names.get(host.address, ""), whose.get(host.address, [])

    def _hand_over(self, target: SweepTarget, sock: socket.socket) -> None:
        self._held += 1
        self._work.put((target, sock))
        if self._crew < min(AT_WORK, self._held):
            self._crew += 1
            # A daemon thread does not keep the process from ending.
            threading.Thread(target=self._look, daemon=True, name="look").start()

    def _look(self) -> None:
        while True:
            target, sock = self._work.get()
            # Close it only after queueing the result: an interrupt in between would lose it.
            with sock:
                try:
                    service = identify_service(target, sock, self._timeout)
                except Exception as exc:  # noqa: BLE001 - one strange host must not stop the scan
                    service = FoundService(target.port, said=f"Unexpected {type(exc).__name__}")
                self._results.put((target, service))

    def _take_results(self, *, wait: bool) -> None:
        while True:
            try:
                target, service = self._results.get(block=wait, timeout=HEARD)
            except queue.Empty:
                return
            wait = False
            self._held -= 1
            self._found.setdefault(target.address, FoundHost(target.address)).services[target.port] = service
            self._names.add(target.address)


class MachineAddresses:
    """Resolves names in the background."""

    def __init__(self, store: Store) -> None:
        self._of_machine = {name: set(hosts) for name, hosts in hosts_of_machines(store)}
        self._lookups = NameLookups(addresses_of)
        for host in set().union(*self._of_machine.values()):
            if not engine_url.is_address(host):
                self._lookups.add(host)

    def by_address(self, seconds: float) -> Mapping[str, list[str]]:
        """Skip names not resolved within `seconds`."""
        resolved = self._lookups.answers(seconds)
        found: dict[str, list[str]] = {}
        for name, hosts in self._of_machine.items():
            addresses = {canonical_address(address) for host in hosts for address in resolved.get(host, [host])}
            for address in addresses:
                found.setdefault(address, []).append(name)
        return found


def hosts_of_machines(store: Store) -> Iterable[tuple[str, list[str]]]:
    drivers: dict[str, Driver | None] = {}
    for name in store.names():
        try:
            machine = store.read(name)
            url = engine_url.parse_url(machine.url) if machine.url else None
        except MachineError:
            continue
        if machine.driver not in drivers:
            drivers[machine.driver] = driver_or_none(machine)
        # Behind a jump host, the same address may be another host.
        ssh = None if machine.jump else ssh_endpoint_or_none(machine, drivers[machine.driver])
        yield name, [host for host in (url.host if url else "", ssh.host if ssh else "") if host]


def canonical_address(address: str) -> str:
    """Return other text unchanged."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address
