"""`discover`: the networks, address ranges and names to search."""

from __future__ import annotations

import ipaddress
import shlex
import socket
from typing import TYPE_CHECKING

from machinectl.console import confirm
from machinectl.discovery import services
from machinectl.discovery.scan import NetworkScan
from machinectl.errors import Declined, Hint, MachineError, UsageError, one_line
from machinectl.name_resolution import NameLookups, addresses_of
from machinectl.url import HOST_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

USUAL = "192.168.0.0/24"
# Reserved for documentation (RFC 5737). Nothing is sent: the kernel only shows the source address.
ELSEWHERE = ("192.0.2.1", 9)
# From this size on, a network's first address, and IPv4's last, belong to no host.
LEAST_NETWORK = 4
IPV4 = 4
# A /20. Few LANs are larger, and more takes a while.
UNASKED = 4096
# Seconds.
NAMES_TIMEOUT = 5.0


def discover(store: Store, console: Console, networks: Sequence[str], timeout: float, *, yes: bool) -> NetworkScan:
    """Return a search that has not started; ask first if it is large. Raises UsageError for an invalid network."""
    if not networks:
        raise UsageError("The network is missing", Hint("For example", "machinectl discover", own_network()))
    found = parse_ranges(networks, resolve_name)
    count = sum(network.num_addresses for network in found)
    if count > UNASKED and not yes:
        question = f"That is {count:,} addresses. Scan them?"
        if not confirm(console, question, shlex.join(["machinectl", "discover", "--yes", *networks])):
            raise Declined("No address was scanned", Hint("Name less", "machinectl discover", own_network()))
    # All ports of an address before the next, to have few in progress.
    targets = (
        services.SweepTarget(str(address), port) for network in found for address in network for port in services.PORTS
    )
    return NetworkScan(store, targets, timeout)


def resolve_name(name: str) -> Sequence[str]:
    lookups = NameLookups(addresses_of)
    lookups.add(name)
    return lookups.answers(NAMES_TIMEOUT).get(name, [])


def parse_ranges(texts: Iterable[str], resolve: Callable[[str], Sequence[str]]) -> list[Network]:
    """Sort and merge ranges; `resolve` returns a name's addresses. Raises UsageError, MachineError."""
    found = [network for text in texts for network in parse_range(text.strip(), resolve)]
    version_4 = (network for network in found if isinstance(network, ipaddress.IPv4Network))
    version_6 = (network for network in found if isinstance(network, ipaddress.IPv6Network))
    return [*ipaddress.collapse_addresses(version_4), *ipaddress.collapse_addresses(version_6)]


def parse_range(text: str, resolve: Callable[[str], Sequence[str]]) -> list[Network]:
    # Link-local addresses with an interface (fe80::1%eth0) are not supported.
    if "%" in text:
        raise invalid_range(text)
    try:
        if "/" in text:
            return network_range(text)
        first, dash, last = text.partition("-")
        # A host name may contain dashes, but no address before one.
        if dash and is_ip_address(first):
            # The end may be only the last part.
            is_last_part = "." in first and last.isascii() and last.isdecimal()
            return range_between(first, f"{first.rpartition('.')[0]}.{last}" if is_last_part else last)
        if is_ip_address(text):
            return [ipaddress.ip_network(text)]
    except (ValueError, TypeError) as exc:
        raise invalid_range(text) from exc
    # 300.1.1.1 is no host's name.
    if not (HOST_CHARACTERS.issuperset(text) and any(map(str.isalpha, text))):
        raise invalid_range(text)
    if addresses := resolve(text):
        return [ipaddress.ip_network(each) for each in addresses]
    raise MachineError(f'Cannot resolve the name "{text}"', Hint("Ask by hand", "getent hosts", text))


def network_range(text: str) -> list[Network]:
    network = ipaddress.ip_network(text, strict=False)
    if network.num_addresses < LEAST_NETWORK:
        return [network]
    # The first address is the network's or its routers' (RFC 4291 2.6.1). IPv4's last one is for broadcasts.
    return range_between(str(network[1]), str(network[-1 - (network.version == IPV4)]))


def range_between(first: str, last: str) -> list[Network]:
    ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
    return [*ipaddress.summarize_address_range(*ends)]


def is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def invalid_range(text: str) -> UsageError:
    return UsageError(
        f"'{one_line(text)}' is not a network (192.168.0.0/24), range (192.168.0.10-20), address or host's name",
        Hint("For example", "machinectl discover", own_network()),
    )


def own_network() -> str:
    """Return this computer's private /24, else an example: a public address has strangers as neighbours."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(ELSEWHERE)
            address = ipaddress.ip_address(sock.getsockname()[0])
        except OSError:
            return USUAL
    return str(ipaddress.ip_network(f"{address}/24", strict=False)) if address.is_private else USUAL
