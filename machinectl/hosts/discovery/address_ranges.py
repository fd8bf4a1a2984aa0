"""Parse `discover`'s networks, address ranges, names and ports."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl.errors import MachineError, UsageError, one_line
from machinectl.url import HIGHEST_PORT, HOST_CHARACTERS, LETTERS_AND_DIGITS, LONGEST_HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

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


@dataclass(frozen=True, order=True)
class AddressRange:
    """Consecutive addresses, as numbers."""

    version: int
    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def addresses(self) -> Iterator[str]:
        make = ipaddress.IPv4Address if self.version == IPV4 else ipaddress.IPv6Address
        return (str(make(number)) for number in range(self.first, self.last + 1))


def parse_ranges(texts: Iterable[str], resolve: Callable[[str], Sequence[str]]) -> list[AddressRange]:
    """Sort and merge ranges; `resolve` returns a name's addresses. Raises UsageError, MachineError."""
    found = sorted(span for text in texts for span in parse_range(text.strip(), resolve))
    merged: list[AddressRange] = []
    for span in found:
        last = merged[-1] if merged else None
        if last and last.version == span.version and span.first <= last.last + 1:
            merged[-1] = replace(last, last=max(last.last, span.last))
        else:
            merged.append(span)
    return merged


def parse_range(text: str, resolve: Callable[[str], Sequence[str]]) -> list[AddressRange]:
    # Link-local addresses with an interface (fe80::1%eth0) are not supported.
    if "%" in text:
        raise invalid_range(text)
    try:
        if "/" in text:
            return [network_range(text)]
        first, dash, last = text.partition("-")
        # A host name may contain dashes, but no address before one.
        if dash and is_ip_address(first):
            return [dashed_range(ipaddress.ip_address(first), last)]
        if is_ip_address(text):
            return [range_between(ipaddress.ip_address(text), ipaddress.ip_address(text))]
    except ValueError as exc:
        raise invalid_range(text) from exc
    if not is_host_name(text):
        raise invalid_range(text)
    addresses = [ipaddress.ip_address(each) for each in resolve(text)]
    if not addresses:
        raise MachineError(f'Cannot resolve the name "{text}"', f"getent hosts {text}")
    return [range_between(address, address) for address in addresses]


def network_range(text: str) -> AddressRange:
    """Accept any address of the network (192.168.0.29/24)."""
    network = ipaddress.ip_network(text, strict=False)
    whole = range_between(network[0], network[-1])
    if whole.count < LEAST_NETWORK:
        return whole
    # The first address is the network's or its routers' (RFC 4291 2.6.1). IPv4's last one is for broadcasts.
    return AddressRange(whole.version, whole.first + 1, whole.last - (whole.version == IPV4))


def dashed_range(first: Address, end: str) -> AddressRange:
    """`end` is an address, or its last part. Raises ValueError."""
    if first.version == IPV4 and end.isascii() and end.isdecimal():
        end = f"{str(first).rpartition('.')[0]}.{end}"
    last = ipaddress.ip_address(end)
    if last.version != first.version or int(last) < int(first):
        raise ValueError(end)
    return range_between(first, last)


def range_between(first: Address, last: Address) -> AddressRange:
    return AddressRange(first.version, int(first), int(last))


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
        f"machinectl discover {own_network()}",
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


def parse_ports(text: str) -> list[int]:
    """Parse `22,2375,2376`. Raises UsageError."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if not (word.isascii() and word.isdecimal() and len(word) <= len(str(HIGHEST_PORT))) or not (
            0 < int(word) <= HIGHEST_PORT
        ):
            raise UsageError(f"'{one_line(word)}' is not a port", "--ports 22,2375,2376")
    if not words:
        raise UsageError("--ports is empty", "--ports 22,2375,2376")
    return list(dict.fromkeys(map(int, words)))
