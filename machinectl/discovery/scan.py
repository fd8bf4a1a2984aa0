"""Scan addresses and match them with machines."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl import url as engine_url
from machinectl.descriptors import fitting_jobs
from machinectl.discovery.services import identify_service
from machinectl.errors import Hint, MachineError
from machinectl.machines.machine_driver import ssh_or_none
from machinectl.name_resolution import NameLookups, addresses_of, host_name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from machinectl.discovery.services import FoundService, SweepTarget
    from machinectl.machines.store import Store

# Sockets at once: a /24 is scanned at both ports in one go. An unused LAN address occupies the kernel's neighbour table
# for three seconds, twice the time spent on it. The table holds 1,024 (net.ipv4.neigh.default.gc_thresh3); packets to
# further addresses are lost.
SOCKETS = 680
# Descriptors for other purposes, and threads that identify services, each with a possible second connection.
BESIDES, AT_WORK = 64, 48
# Seconds to wait for names after the scan.
NAMES_TIMEOUT = 0.8
NO_WAY = {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}


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
    """Tries many connections at once; `timeout` (seconds) applies per connection and service.

    `hosts` works after an interrupted `run`, too. `refusing` counts other addresses that refused; `no_way` counts
    targets without a route.
    """

    def __init__(self, store: Store, targets: Iterable[SweepTarget], timeout: float, sockets: int = SOCKETS) -> None:
        self._sockets = sockets
        self._store = store
        self._targets = targets
        self._timeout = timeout
        self._found: dict[str, FoundHost] = {}
        self._refusing: set[str] = set()
        self._names = NameLookups(host_name_of)
        self.no_way = 0

    @property
    def refusing(self) -> int:
        return len(self._refusing - self._found.keys())

    def hosts(self) -> list[FoundHost]:
        return sorted(
            self._found.values(), key=lambda host: ipaddress.get_mixed_type_key(ipaddress.ip_address(host.address))
        )

    def run(self) -> None:
        """Raise MachineError if no socket can be opened."""
        try:
            asyncio.run(self._try_all())
        except ExceptionGroup as exc:
            raise exc.exceptions[0] from None
        finally:
            names, whose = self._names.answers(NAMES_TIMEOUT), machines_by_address(self._store)
            for host in self._found.values():
                host.name, host.machines = names.get(host.address, ""), whose.get(host.address, [])

    async def _try_all(self) -> None:
        at_once = asyncio.Semaphore(fitting_jobs(self._sockets, besides=BESIDES + AT_WORK))
        with ThreadPoolExecutor(AT_WORK) as looks:
            async with asyncio.TaskGroup() as group:
                for target in self._targets:
                    await at_once.acquire()
                    group.create_task(self._try(target, looks)).add_done_callback(lambda _: at_once.release())

    async def _try(self, target: SweepTarget, looks: ThreadPoolExecutor) -> None:
        with new_socket(target) as sock:
            try:
                async with asyncio.timeout(self._timeout):
                    await asyncio.get_running_loop().sock_connect(sock, target)
            except OSError as exc:
                if exc.errno == errno.ECONNREFUSED:
                    self._refusing.add(target.address)
                self.no_way += exc.errno in NO_WAY
                return
            # TCP allows it if the local port is the target.
            if sock.getsockname() == target:
                self._refusing.add(target.address)
                return
            loop = asyncio.get_running_loop()
            service = await loop.run_in_executor(looks, identify_service, target, sock, self._timeout)
        self._found.setdefault(target.address, FoundHost(target.address)).services[target.port] = service
        self._names.add(target.address)


def new_socket(target: SweepTarget) -> socket.socket:
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in target.address else socket.AF_INET)
    except OSError as exc:
        raise MachineError(f"Cannot open another socket: {exc.strerror}", Hint("Allow more", "ulimit -n 4096")) from exc
    sock.setblocking(False)
    return sock


def machines_by_address(store: Store) -> Mapping[str, list[str]]:
    """Skip names that are not resolved in time."""
    hosts_of = dict(hosts_of_machines(store))
    lookups = NameLookups(addresses_of)
    for host in {host for hosts in hosts_of.values() for host in hosts if not engine_url.is_address(host)}:
        lookups.add(host)
    resolved = lookups.answers(NAMES_TIMEOUT)
    machines: dict[str, list[str]] = {}
    for name, hosts in hosts_of.items():
        for address in {canonical_address(each) for host in hosts for each in resolved.get(host, [host])}:
            machines.setdefault(address, []).append(name)
    return machines


def hosts_of_machines(store: Store) -> Iterable[tuple[str, list[str]]]:
    for name in store.names():
        try:
            machine = store.read(name)
            url = engine_url.parse_url(machine.url) if machine.url else None
        except MachineError:
            continue
        # Behind a jump host, the same address may be another host.
        ssh = None if machine.jump else ssh_or_none(machine)
        yield name, [host for host in (url.host if url else "", ssh.host if ssh else "") if host]


def canonical_address(address: str) -> str:
    return str(ipaddress.ip_address(address)) if engine_url.is_address(address) else address
