"""Parse `discover`'s networks, address ranges, names and ports."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError, UsageError, one_line
from machinectl.url import HOST_CHARACTERS, LETTERS_AND_DIGITS, LONGEST_HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

USUAL = "192.168.0.0/24"
# Reserved for documentation (RFC 5737). Nothing is sent: the kernel only shows the source address.
ELSEWHERE = ("192.0.2.1", 9)
# RFC 1918.
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
# The usual prefix length of a home network.
AT_HOME = 24
# From this size on, a network's first address, and IPv4's last, belong to no host.
LEAST_NETWORK = 4
IPV4 = 4


def parse_ranges(texts: Iterable[str], resolve: Callable[[str], Sequence[str]]) -> list[Network]:
    """Sort and merge ranges; `resolve` returns a name's addresses. Raises UsageError, MachineError."""
    found = [network for text in texts for network in parse_range(text.strip(), resolve)]
    version_4 = [network for network in found if isinstance(network, ipaddress.IPv4Network)]
    version_6 = [network for network in found if isinstance(network, ipaddress.IPv6Network)]
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
    if not is_host_name(text):
        raise invalid_range(text)
    if addresses := resolve(text):
        return [ipaddress.ip_network(each) for each in addresses]
    raise MachineError(f'Cannot resolve the name "{text}"', Hint("Ask by hand", "getent hosts", text))


def network_range(text: str) -> list[Network]:
    """Accept any address of the network (192.168.0.29/24)."""
    network = ipaddress.ip_network(text, strict=False)
    if network.num_addresses < LEAST_NETWORK:
        return [network]
    # The first address is the network's or its routers' (RFC 4291 2.6.1). IPv4's last one is for broadcasts.
    return range_between(str(network[1]), str(network[-1 - (network.version == IPV4)]))


def range_between(first: str, last: str) -> list[Network]:
    """Raise ValueError, or TypeError for two versions."""
    ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
    return [*ipaddress.summarize_address_range(*ends)]


def is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_host_name(text: str) -> bool:
    """Return False for mistyped addresses (300.1.1.1)."""
    return (
        0 < len(text) <= LONGEST_HOST
        and HOST_CHARACTERS.issuperset(text)
        and text[0] not in "-."
        and ".." not in text
        and not LETTERS_AND_DIGITS.isdisjoint(text)
        and not text.replace(".", "").replace("-", "").isdecimal()
    )


def invalid_range(text: str) -> UsageError:
    return UsageError(
        f"'{one_line(text)}' is neither a network (192.168.0.0/24, fd00::/120) nor a range (192.168.0.10-20), an "
        "address or a host's name",
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
    home = any(address in ipaddress.ip_network(private) for private in PRIVATE)
    return str(ipaddress.ip_network(f"{address}/{AT_HOME}", strict=False)) if home else USUAL
