"""`discover`: find SSH servers and engines."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from machinectl.console import confirm
from machinectl.discovery import services
from machinectl.discovery.address_ranges import own_network, parse_ranges
from machinectl.discovery.port_sweep import SweepTarget
from machinectl.discovery.scan import NetworkScan
from machinectl.discovery.services import SpokenProtocol
from machinectl.errors import Declined, Hint, MachineError, UsageError
from machinectl.machines.record import is_name
from machinectl.name_resolution import NameLookups, addresses_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from machinectl.console import Console
    from machinectl.discovery.scan import FoundHost
    from machinectl.discovery.services import FoundService
    from machinectl.fleet.draft import Described, Value
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


def discover(store: Store, console: Console, networks: Sequence[str], timeout: float, *, yes: bool) -> NetworkScan:
    """Return a search that has not started; ask first if it is large. Raises UsageError for an invalid network."""
    if not networks:
        raise UsageError("The network is missing", Hint("For example", "machinectl discover", own_network()))
    found = parse_ranges(networks, resolve_name)
    count = sum(network.num_addresses for network in found)
    if count > MOST:
        raise UsageError(
            f"That is more than {MOST:,} addresses", Hint("Name less", "machinectl discover", own_network())
        )
    if count > UNASKED and not yes:
        question = f"That is {count:,} addresses. Scan them?"
        if not confirm(console, question, shlex.join(["machinectl", "discover", "--yes", *networks])):
            raise Declined("No address was scanned", Hint("Name less", "machinectl discover", own_network()))
    # All ports of an address before the next, to have few in progress.
    targets = (SweepTarget(str(address), port) for network in found for address in network for port in services.PORTS)
    return NetworkScan(store, targets, timeout)


def resolve_name(name: str) -> Sequence[str]:
    lookups = NameLookups(addresses_of)
    lookups.add(name)
    return lookups.answers(NAMES_TIMEOUT).get(name, [])


def new_hosts(hosts: Sequence[FoundHost], names: Collection[str]) -> tuple[list[Described], list[str]]:
    """Return fleet entries for new hosts, and remarks on hosts without SSH."""
    from machinectl.fleet.draft import Described

    found: list[Described] = []
    left_out: list[str] = []
    taken = set(names)
    for host in hosts:
        if host.machines:
            continue
        taken.add(name := name_for_host(host, taken))
        found_here = host.in_order()
        remarks = [remark for service in found_here if (remark := engine_remark(host.address, name, service))]
        ssh = next((each for each in found_here if each.speaks is SpokenProtocol.SSH), None)
        if ssh is None:
            left_out += remarks
            continue
        keys: dict[str, Value] = {"ip-address": host.address}
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
    from machinectl.fleet.draft import Draft

    return Draft(HEADING, found, {"generic": load("generic").options()}, left_out=tuple(left_out)).text()


def check_not_there(path: str) -> None:
    if os.path.lexists(path):
        raise MachineError(f"{path} exists already and is not overwritten", Hint("Give --write another name"))
