"""`discover`: find SSH servers and engines in networks, and which of them are machines already."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.console import confirm_or_hint
from machinectl.errors import MachineError, UsageError
from machinectl.hosts.discovery.address_ranges import own_network, parse_ports, parse_ranges
from machinectl.hosts.discovery.port_sweep import SweepTarget
from machinectl.hosts.discovery.scan import ADDRESSES, SOCKETS, NetworkScan
from machinectl.hosts.discovery.services import SpokenProtocol
from machinectl.machines.record import is_name
from machinectl.name_resolution import NameLookups, addresses_of
from machinectl.ssh.keys.known_hosts import SSH_PORT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.fleet.writing.draft import Described, Value
    from machinectl.hosts.discovery.address_ranges import AddressRange
    from machinectl.hosts.discovery.scan import FoundHost
    from machinectl.hosts.discovery.services import FoundService
    from machinectl.machines.store import Store

# An IPv4 /20: a LAN is hardly larger, and more takes a while.
UNASKED = 4096
# An IPv4 /8: more is a mistake, and takes days.
MOST = 1 << 24
# Timeout of name servers, in seconds.
NAMES_TIMEOUT = 5.0
HEADING = (
    "Found by discover: what answers to SSH and is no machine yet. How they are logged in at stands in defaults, as",
    "generic-ssh-user and generic-ssh-key. Compare the keys with those of the hosts before the first apply.",
)


def discover(
    store: Store, console: Console, networks: Sequence[str], ports: str, timeout: float, *, yes: bool
) -> NetworkScan:
    """Return the search, after asking if it is large; its `run` does it.

    Raises UsageError for an invalid network, MachineError for an unknown name or the answer no.
    """
    if not networks:
        raise UsageError("No network is named", f"machinectl discover {own_network()}")
    wanted = parse_ports(ports)
    found = parse_ranges(networks, resolved)
    sockets = min(SOCKETS, ADDRESSES * len(wanted))
    count = sum(span.count for span in found)
    if count > MOST:
        raise UsageError(f"That is more than {MOST:,} addresses", f"machinectl discover {own_network()}")
    if count > UNASKED and not yes:
        minutes = max(1, round(count * len(wanted) / sockets * timeout / 60))
        question = (
            f"That is {count:,} addresses, which takes up to {minutes} minute{'s' if minutes > 1 else ''}. Go on?"
        )
        if not confirm_or_hint(console, question, f"machinectl discover --yes {' '.join(networks)}"):
            raise MachineError("Nothing was looked at", f"machinectl discover {own_network()}")
    return NetworkScan(store, targets(found, wanted), timeout, sockets)


def targets(found: Sequence[AddressRange], ports: Sequence[int]) -> Iterator[SweepTarget]:
    """Yield all ports of one address after the other, to have few addresses in progress."""
    return (SweepTarget(address, port) for span in found for address in span.addresses() for port in ports)


def resolved(name: str) -> Sequence[str]:
    lookups = NameLookups(addresses_of)
    lookups.add(name)
    return lookups.answers(NAMES_TIMEOUT).get(name, [])


def new_hosts(hosts: Sequence[FoundHost], names: Collection[str]) -> tuple[list[Described], list[str]]:
    """Return entries of a fleet file for hosts that are no machines yet, and remarks on those that cannot be one.

    `names` are the machines' names; no entry gets one of them.
    """
    from machinectl.fleet.writing.draft import Described

    found: list[Described] = []
    left_out: list[str] = []
    taken = set(names)
    for host in hosts:
        if host.machines:
            continue
        taken.add(name := new_name(host, taken))
        services = host.in_order()
        remarks = [remark for service in services if (remark := about_engine(host.address, name, service))]
        # Prefer the usual port.
        logins = sorted(
            (each for each in services if each.speaks is SpokenProtocol.SSH), key=lambda each: each.port != SSH_PORT
        )
        if not logins:
            left_out += remarks
            continue
        ssh = logins[0]
        keys: dict[str, Value] = {"generic-ip-address": host.address}
        if ssh.port != SSH_PORT:
            keys["generic-ssh-port"] = ssh.port
        shown = " ".join(filter(None, (host.name, ssh.said, str(ssh.key or ""))))
        found.append(Described(name, "generic", keys, (shown, *remarks)))
    return found, left_out


def new_name(host: FoundHost, taken: Collection[str]) -> str:
    """Return a name for a host: the first part of its own, else one made of its address."""
    short = host.name.partition(".")[0]
    if is_name(short) and not short.isdecimal() and short not in taken:
        return short
    return "host-" + "".join(letter if letter.isalnum() else "-" for letter in host.address)


def about_engine(address: str, name: str, service: FoundService) -> str:
    """Describe an engine that was found, in one line; "" for other services."""
    if not service.is_engine:
        return ""
    url = f"tcp://{SweepTarget(address, service.port)}"
    if service.is_open:
        return f"WARNING: whoever reaches {url} is root on its host: close it. {name}: {{driver: none, url: {url}}}"
    return f"It has an engine: {name}: {{driver: none, url: {url}, tls-dir: DIRECTORY}}, with its certificates there"


def fleet_text(found: Sequence[Described], left_out: Sequence[str]) -> str:
    """Return a fleet file of the new hosts."""
    from machinectl.driver.installed_drivers import load
    from machinectl.fleet.writing.draft import Draft

    return Draft(HEADING, found, {"generic": load("generic").options()}, left_out=tuple(left_out)).text()


def check_new(path: str) -> None:
    """Refuse to overwrite a file. Raises MachineError."""
    if os.path.lexists(path):
        raise MachineError(f"{path} exists already and is not overwritten", "Give --write another name")
