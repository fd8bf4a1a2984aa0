"""The verbs `active`, `url` and `ip`."""

from __future__ import annotations

import os

from machinectl.cli.catalogue import PRINTS, Verb
from machinectl.cli.output.exit_status import report_failures
from machinectl.cli.output.stdout import print_json, print_lines, print_value
from machinectl.errors import Hint, MachineError
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.cli.verb_session import Session
    from machinectl.machines.store import Store


VERBS = {
    "active": Verb(
        "active",
        examples=("machinectl active",),
        flags=(shared.TIMEOUT, shared.JSON),
        output=PRINTS,
        follows=False,
    ),
    "url": Verb(
        "url",
        examples=("machinectl url orionbox",),
        arguments=(shared.ONE_NAME,),
        flags=(shared.JSON,),
        output=PRINTS,
        follows=False,
    ),
    "ip": Verb(
        "ip",
        examples=("machinectl ip orionbox rigel",),
        arguments=(shared.NAMES,),
        flags=(shared.JSON, *shared.CHOICE),
        output=PRINTS,
        follows=False,
    ),
}


def active(here: Session, *, timeout: float, as_json: bool) -> None:
    name = active_machine(here.store, os.environ)
    print_value(name, {"Name": name, "URL": os.environ.get("DOCKER_HOST")}, as_json=as_json)


def active_machine(store: Store, environment: Mapping[str, str]) -> str:
    """Return the machine at $DOCKER_HOST, or whose socket that is; $DOCKER_MACHINE_NAME decides between several."""
    from machinectl.hosts.docker_environment import machine_at_url

    host = environment.get("DOCKER_HOST", "")
    last = environment.get("DOCKER_MACHINE_NAME", "")
    for name in sorted(store.names(), key=lambda name: name != last) if host else ():
        try:
            if host in store.read(name).urls:
                return name
        except MachineError:
            # The record cannot be read.
            continue
    if name := machine_at_url(store, host):
        return name
    raise MachineError(
        "No active host found", Hint("Point docker at one", "eval $(machinectl env <NAME>)"), for_scripts=True
    )


def url(here: Session, *, names: list[str], as_json: bool) -> None:
    from machinectl.machines.selection import chosen_one

    name = chosen_one(here.store, names)
    address = here.store.read_ready(name).urls[0]
    print_value(address, {"Name": name, "URL": address}, as_json=as_json)


def ip(here: Session, *, names: list[str], as_json: bool) -> int:
    from machinectl.machines.selection import chosen

    results = [(name, engine_host(here.store, name)) for name in chosen(here.store, names)]
    addresses = [(name, address) for name, address in results if isinstance(address, str)]
    if not as_json:
        print_lines(address for _, address in addresses)
    elif addresses:
        print_json([{"Name": name, "IPAddress": address} for name, address in addresses])
    return report_failures((address for _, address in results), here.program)


def engine_host(store: Store, name: str) -> str | MachineError:
    """Return the host in a machine's URL, or why there is none."""
    from machinectl.url import parse_url

    try:
        machine = store.read_ready(name)
        host = parse_url(machine.urls[0]).host
    except MachineError as exc:
        return exc
    hint = Hint("", "machinectl url", name)
    return host or MachineError(f'Machine "{name}" has no address: its URL is {machine.url}', hint)
