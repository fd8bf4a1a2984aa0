"""`discover`: find SSH servers and engines."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.console import confirm
from machinectl.errors import Declined, MachineError, UsageError
from machinectl.hosts.discovery.address_ranges import own_network, parse_ports, parse_ranges
from machinectl.hosts.discovery.port_sweep import SweepTarget
from machinectl.hosts.discovery.scan import ADDRESSES, SOCKETS, NetworkScan
from machinectl.hosts.discovery.services import SpokenProtocol
from machinectl.machines.record import is_name
from machinectl.name_resolution import NameLookups, addresses_of
from machinectl.quantities import plural
from machinectl.ssh.ssh_settings import SSH_PORT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from machinectl.console import Console
    from machinectl.fleet.writing.draft import Described, Value
    from machinectl.hosts.discovery.scan import FoundHost
    from machinectl.hosts.discovery.services import FoundService
    from machinectl.machines.store import Store

# A /20. Few LANs are larger, and more takes a while.
UNASKED = 4096
# A /8. More takes days, and is probably a mistake.
MOST = 1 << 24
# Seconds.
NAMES_TIMEOUT = 5.0
HEADING = (
    "Hosts that discover found by SSH, and that are not machines yet. Set ssh-user and ssh-key in",
    "defaults. Compare the keys with those of the hosts before the first apply.",
)


def discover(
    store: Store, console: Console, networks: Sequence[str], ports: str, timeout: float, *, yes: bool
) -> NetworkScan:
    """Return a search that has not started; ask first if it is large. Raises UsageError for an invalid network."""
    if not networks:
        raise UsageError("The network is missing", f"machinectl discover {own_network()}")
    wanted = parse_ports(ports)
    found = parse_ranges(networks, resolve_name)
    sockets = min(SOCKETS, ADDRESSES * len(wanted))
    count = sum(network.num_addresses for network in found)
    if count > MOST:
        raise UsageError(f"That is more than {MOST:,} addresses", f"machinectl discover {own_network()}")
    if count > UNASKED and not yes:
        minutes = max(1, round(count * len(wanted) / sockets * timeout / 60))
        question = f"That is {count:,} addresses, which takes up to {plural(minutes, 'minute')}. Scan them?"
        if not confirm(console, question, f"machinectl discover --yes {' '.join(networks)}"):
            raise Declined("No address was scanned", f"machinectl discover {own_network()}")
    # All ports of an address before the next, to have few in progress.
    targets = (SweepTarget(str(address), port) for network in found for address in network for port in wanted)
    return NetworkScan(store, targets, timeout, sockets)


def resolve_name(name: str) -> Sequence[str]:
    lookups = NameLookups(addresses_of)
    lookups.add(name)
    return lookups.answers(NAMES_TIMEOUT).get(name, [])


def new_hosts(hosts: Sequence[FoundHost], names: Collection[str]) -> tuple[list[Described], list[str]]:
    """Return fleet entries for new hosts, and remarks on hosts without SSH."""
    from machinectl.fleet.writing.draft import Described

    found: list[Described] = []
    left_out: list[str] = []
    taken = set(names)
    for host in hosts:
        if host.machines:
            continue
        taken.add(name := name_for_host(host, taken))
        services = host.in_order()
        remarks = [remark for service in services if (remark := engine_remark(host.address, name, service))]
        # Prefer the usual port.
        logins = sorted(
            (each for each in services if each.speaks is SpokenProtocol.SSH), key=lambda each: each.port != SSH_PORT
        )
        if not logins:
            left_out += remarks
            continue
        ssh = logins[0]
        keys: dict[str, Value] = {"ip-address": host.address}
        if ssh.port != SSH_PORT:
            keys["ssh-port"] = ssh.port
        shown = " ".join(filter(None, (host.name, ssh.said, str(ssh.key or ""))))
        found.append(Described(name, "generic", keys, (shown, *remarks)))
    return found, left_out


def name_for_host(host: FoundHost, taken: Collection[str]) -> str:
    """Prefer the host's own short name."""
    short = host.name.partition(".")[0]
    if is_name(short) and not short.isdecimal() and short not in taken:
        return short
    return "host-" + "".join(letter if letter.isalnum() else "-" for letter in host.address)


def engine_remark(address: str, name: str, service: FoundService) -> str:
    """Return "" for other services."""
    if not service.is_engine:
        return ""
    url = f"tcp://{SweepTarget(address, service.port)}"
    if service.is_open:
        return f"WARNING: whoever reaches {url} is root on its host: close it. {name}: {{driver: none, url: {url}}}"
    return f"It has an engine: {name}: {{driver: none, url: {url}, tls-dir: DIRECTORY}}, with its certificates there"


def fleet_text(found: Sequence[Described], left_out: Sequence[str]) -> str:
    from machinectl.driver.installed_drivers import load
    from machinectl.fleet.writing.draft import Draft

    return Draft(HEADING, found, {"generic": load("generic").options()}, left_out=tuple(left_out)).text()


def check_not_there(path: str) -> None:
    if os.path.lexists(path):
        raise MachineError(f"{path} exists already and is not overwritten", "Give --write another name")
