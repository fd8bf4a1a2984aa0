"""Files of a fleet, as texts: what they come to, and what is wrong with them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.fleet.fleet_file import parse_fleet
from machinectl.fleet.yaml_nodes import WrongFile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from machinectl.fleet.fleet_file import Fleet
    from machinectl.fleet.host_reader import FleetHost

ENVIRONMENT = {"PORT": "2222", "EMPTY": "", "SECRET": "geheim"}
# A host of the generic driver that needs no more.
HOST = "generic-ip-address: 192.168.0.29"


def parsed(
    text: str, *, machines: Collection[str] = (), environment: Mapping[str, str] | None = None, name: str = "fleet.yaml"
) -> Fleet:
    data = textwrap.dedent(text).encode()
    return parse_fleet(data, name, machines, ENVIRONMENT if environment is None else environment)


def only(text: str, **given: Any) -> FleetHost:
    """The only host of a file."""
    (host,) = parsed(text, **given).hosts
    return host


def said(options: str, defaults: str = "driver: generic", **given: Any) -> FleetHost:
    """A host of which no more is said than this, in flow style."""
    return only(f"defaults: {{{defaults}}}\nhosts:\n  orion: {{{options}}}\n", **given)


def faults(text: str, **given: Any) -> list[str]:
    """What is wrong with a file, without its name: line:column: text."""
    with pytest.raises(WrongFile) as raised:
        parsed(text, **given)
    first, *lines = raised.value.cause.split("\n")
    assert first == "fleet.yaml has errors, and nothing was done:"
    assert raised.value.exit_code == 1
    assert all(line.startswith("fleet.yaml:") for line in lines)
    return [line.removeprefix("fleet.yaml:") for line in lines]


def fault(text: str, **given: Any) -> str:
    """The one thing that is wrong with a file."""
    (line,) = faults(text, **given)
    return line


def fault_of(options: str, defaults: str = "driver: generic", **given: Any) -> str:
    """The one thing that is wrong with a host of which this is said; without its place."""
    return fault(f"defaults: {{{defaults}}}\nhosts:\n  orion: {{{options}}}\n", **given).partition(": ")[2]
