"""Networks, ranges, addresses and names on the command line."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.discovery.address_ranges import parse_ranges
from machinectl.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = {"orion.lan": ["192.168.0.29", "fd00::29"], "nas-2": ["192.168.0.40"]}


def resolve(name: str) -> Sequence[str]:
    return NAMES.get(name, [])


def addresses(*texts: str) -> list[str]:
    return [str(address) for network in parse_ranges(texts, resolve) for address in network]


@pytest.mark.parametrize(
    ("text", "first", "last", "count"),
    [
        ("192.168.0.0/24", "192.168.0.1", "192.168.0.254", 254),
        ("192.168.0.29/24", "192.168.0.1", "192.168.0.254", 254),
        ("192.168.0.0/255.255.255.0", "192.168.0.1", "192.168.0.254", 254),
        ("192.168.0.8/30", "192.168.0.9", "192.168.0.10", 2),
        ("192.168.0.8/31", "192.168.0.8", "192.168.0.9", 2),
        ("192.168.0.8/32", "192.168.0.8", "192.168.0.8", 1),
        ("192.168.0.10-20", "192.168.0.10", "192.168.0.20", 11),
        ("192.168.0.250-192.168.1.5", "192.168.0.250", "192.168.1.5", 12),
        ("192.168.0.7", "192.168.0.7", "192.168.0.7", 1),
        ("fd00::/120", "fd00::1", "fd00::ff", 255),
        ("fd00::10-fd00::1f", "fd00::10", "fd00::1f", 16),
        ("fd00::29", "fd00::29", "fd00::29", 1),
        ("nas-2", "192.168.0.40", "192.168.0.40", 1),
    ],
)
def test_networks_ranges_and_addresses_are_parsed(text: str, first: str, last: str, count: int) -> None:
    found = addresses(text)
    assert (found[0], found[-1], len(found)) == (first, last, count)


def test_a_name_means_all_its_addresses() -> None:
    assert addresses("orion.lan") == ["192.168.0.29", "fd00::29"]


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "192.168.0.0/33", "192.168.0.0/", "/24", "192.168.0", "300.1.1.1", "192.168.0.*", "192.168.0.20-10"),
        *("192.168.0.10-300", "192.168.0.10-", "192.168.0.1-fd00::1", "tcp://192.168.0.29:2376", "192.168.0.29:22"),
        *(
            "fe80::1%eth0",
            "fe80::%eth0/64",
            "fd00::/129",
            "a b",
            "\x1b[31m",
            "ö.lan",
            "1-2",
            "fd00::1-5x",
        ),
    ],
)
def test_invalid_text_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        addresses(text)
    assert "machinectl discover " in caught.value.hint
    assert caught.value.cause.isprintable()


@given(st.ip_addresses(), st.integers(0, 12))
def test_a_network_has_only_host_addresses(address: ipaddress.IPv4Address | ipaddress.IPv6Address, bits: int) -> None:
    network = ipaddress.ip_network(f"{address}/{address.max_prefixlen - bits}", strict=False)
    assert addresses(str(network)) == sorted(map(str, network.hosts()), key=ipaddress.ip_address)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=6))
def test_ranges_that_overlap_are_each_address_once_in_order(ranges: list[tuple[int, int]]) -> None:
    start = int(ipaddress.ip_address("10.0.0.0"))
    texts = [
        f"{ipaddress.ip_address(start + first)}-{ipaddress.ip_address(start + first + more)}" for first, more in ranges
    ]
    wanted = {start + number for first, more in ranges for number in range(first, first + more + 1)}
    assert [int(ipaddress.ip_address(each)) for each in addresses(*texts)] == sorted(wanted)


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        found = parse_ranges([text], resolve)
    except MachineError:
        return
    assert sum(network.num_addresses for network in found)
