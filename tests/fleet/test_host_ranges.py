"""Ranges of hosts in a fleet's file, and the values that run along with them."""

from __future__ import annotations

import itertools
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl import ranges
from machinectl.fleet.yaml_nodes import WrongFile
from tests.support.fleet_file import fault, parsed

GENERIC = "defaults: {driver: generic}\nhosts:\n"


def test_a_range_is_each_of_its_hosts_and_ranges_in_values_run_along() -> None:
    fleet = parsed(f"""\
{GENERIC}
  web[01:20]:
    ip-address: 192.0.2.[11:30]
    tls-san: ["web[01:20].lan", www.lan]
    labels: {{number: "n[1:39:2]", role: web}}
  rack[a:b]-n[1:2]: {{ip-address: "10.0.[1:2].[11:12]", ssh-port: "22[01:04]"}}
  nas: {{driver: none, url: "tcp://[fd00::1]:2376", labels: {{a: "[1:3]"}}}}
""")
    addresses = {host.name: host.spec.options.get("generic-ip-address") for host in fleet.hosts}
    web = {f"web{number:02}": f"192.0.2.{number + 10}" for number in range(1, 21)}
    racks = {"racka-n1": "10.0.1.11", "racka-n2": "10.0.1.12", "rackb-n1": "10.0.2.11", "rackb-n2": "10.0.2.12"}
    assert addresses == {**web, **racks, "nas": None}
    ninth = fleet.hosts[8]
    assert ninth.spec.engine.tls_sans == ("web09.lan", "www.lan")
    assert ninth.spec.labels == {"number": "n17", "role": "web"}
    assert [host.spec.options["generic-ssh-port"] for host in fleet.hosts[20:24]] == [2201, 2202, 2203, 2204]
    # What is no range stays as it is, and so does a host that is none.
    assert fleet.hosts[24].spec.options["url"] == "tcp://[fd00::1]:2376"
    assert fleet.hosts[24].spec.labels == {"a": "[1:3]"}


def test_a_range_without_an_address_is_reached_by_its_names() -> None:
    text = "  db[1:2].lan:\n  web[1:2]: {driver: none, url: 'tcp://web[1:2]:2376'}"
    options = [host.spec.options for host in parsed(GENERIC + text).hosts]
    assert [each.get("generic-ip-address") or each["url"] for each in options] == [
        "db1.lan",
        "db2.lan",
        "tcp://web1:2376",
        "tcp://web2:2376",
    ]
    assert fault(f"{GENERIC}  web:\n") == "3:3: web has no ip-address: driver generic needs it"


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        (
            'web[01:20]: {ip-address: "192.0.2.[11:29]"}',
            "3:28: '192.0.2.[11:29]' has 19 values for the 20 hosts of 'web[01:20]'",
        ),
        ("web[9:1]:", "3:3: 'web[9:1]': a range begins after its end"),
        ("web[1-3]:", "3:3: 'web[1-3]': a bracket holds no range such as [1:9]"),
        ("web[08:100]:", "both ends of a range with leading zeros need the same number of digits"),
        ("web[1:10001]:", "3:3: 'web[1:10001]': a range is more than 10000 hosts"),
        ("web[1:101][1:100]:", "3:3: 'web[1:101][1:100]': it is more than 10000 hosts"),
        (
            "web[1:3]:\n  web2: {ip-address: a}",
            "4:3: 'web2' is defined twice: first in line 3",
        ),
    ],
)
def test_what_is_wrong_with_a_range_is_told_with_its_place(hosts: str, said: str) -> None:
    assert said in fault(f"{GENERIC}  {hosts}")


def test_what_is_wrong_with_all_hosts_of_a_range_is_told_of_a_few() -> None:
    with pytest.raises(WrongFile) as raised:
        parsed("hosts:\n  web[1:110]: {driver: none}\n")
    _, first, *others = raised.value.cause.splitlines()
    assert first == "fleet.yaml:2:3: web1 has no url: driver none needs it"
    assert (len(others), others[-1]) == (100, "… and 10 more")


@given(st.integers(0, 300), st.integers(0, 50), st.integers(1, 9), st.integers(0, 5), st.text("ab."))
def test_a_range_counts_through_both_of_its_ends(begin: int, length: int, step: int, width: int, tail: str) -> None:
    end = begin + length
    padded = width > len(str(end))
    first, last = (str(number).zfill(width) if padded else str(number) for number in (begin, end))
    expected = [f"w{str(n).zfill(width) if padded else n}{tail}" for n in range(begin, end + 1, step)]
    assert ranges.expand_names(f"w[{first}:{last}:{step}]{tail}") == expected


LETTERS = string.ascii_letters
SPANS = st.tuples(st.integers(0, 51), st.integers(0, 51)).map(lambda ends: (LETTERS[min(ends)], LETTERS[max(ends)]))


@given(st.lists(SPANS, max_size=2))
def test_several_ranges_are_all_their_pairs(spans: list[tuple[str, str]]) -> None:
    names = ranges.expand_names("-".join(["x", *(f"[{begin}:{end}]" for begin, end in spans)]))
    expected = itertools.product(*(LETTERS[LETTERS.index(begin) : LETTERS.index(end) + 1] for begin, end in spans))
    assert names == ["-".join(["x", *each]) for each in expected]
