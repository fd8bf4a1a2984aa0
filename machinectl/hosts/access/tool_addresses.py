"""Choose which of a machine's addresses the files of a tool name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.engine import probe_all
from machinectl.errors import Hint, UsageError
from machinectl.hosts.connection.machine_driver import endpoint_of
from machinectl.machines.addresses import FLAG, place_of
from machinectl.state import State
from machinectl.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console
    from machinectl.machines.record import Machine

# Seconds: the same addresses are asked again when the tool's certificate is made.
TIMEOUT = 5.0


def tool_urls(
    console: Console, machines: Sequence[Machine], given: Sequence[str], before: Mapping[str, str]
) -> dict[str, str]:
    """Return the URL for each machine with several addresses, and say which others there are.

    `given` addresses win, then the hosts that the files had `before`, by machine: renewal from another network
    must not move the tool. Else it is the address that answers. Raises UsageError for an unknown address.
    """
    check_given(machines, given)
    several = [machine for machine in machines if machine.addresses]
    chosen = {machine.name: url for machine in several if (url := url_at(machine, given))}
    kept = {machine.name: url for machine in several if (url := url_at(machine, [before.get(machine.name, "")]))}
    asked = {machine.name: endpoint_of(machine) for machine in several if machine.name not in {**kept, **chosen}}
    answers = {name for name, found in probe_all(asked, TIMEOUT) if found.state is State.RUNNING}
    urls = {machine.name: machine.urls[0] for machine in several} | kept | chosen
    for machine in several:
        text = other_addresses(machine, urls[machine.name])
        hint = Hint(f"If the tool cannot reach that one, choose another: {FLAG} <ADDRESS>")
        if machine.name in answers:
            console.note(f'"{machine.name}" answers at {text}', hint)
        elif machine.name in asked:
            console.warn(f'"{machine.name}" answers at none of its addresses; the files name {text}', hint)
        elif machine.name not in chosen:
            console.note(f'The files for "{machine.name}" keep {text}', hint)
    return urls


def check_given(machines: Sequence[Machine], given: Sequence[str]) -> None:
    known = [host for machine in machines for host in urls_by_host(machine)]
    if unknown := [address for address in given if place_of(address) not in map(place_of, known)]:
        names = ", ".join(machine.name for machine in machines)
        raise UsageError(f"{FLAG} {unknown[0]} is not an address of {names}", Hint(f"Choose one of {', '.join(known)}"))


def urls_by_host(machine: Machine) -> dict[str, str]:
    return {parse_url(url).host: url for url in machine.urls}


def url_at(machine: Machine, hosts: Sequence[str]) -> str:
    """Return the machine's URL at one of the hosts, or ""."""
    places = [place_of(host) for host in hosts]
    return next((url for host, url in urls_by_host(machine).items() if place_of(host) in places), "")


def other_addresses(machine: Machine, url: str) -> str:
    host = parse_url(url).host
    others = ", ".join(each for each in urls_by_host(machine) if each != host)
    return f"{host}. Its other addresses: {others}"
