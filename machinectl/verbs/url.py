"""The verbs `active`, `url` and `ip`."""

from __future__ import annotations

import os

from machinectl.cli.declared_verb import PRINTS, Verb
from machinectl.cli.output.exit_status import report_failures
from machinectl.cli.output.stdout import print_json, print_lines, print_value
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


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
    from machinectl.commands.active import active as command

    name = command(here.store, os.environ)
    print_value(name, {"Name": name, "URL": os.environ.get("DOCKER_HOST")}, as_json=as_json)


def url(here: Session, *, names: list[str], as_json: bool) -> None:
    from machinectl.commands.url import url as command
    from machinectl.machines.selection import chosen_one

    name = chosen_one(here.store, names)
    found = command(here.store, [name])
    print_value(found, {"Name": name, "URL": found}, as_json=as_json)


def ip(here: Session, *, names: list[str], as_json: bool) -> int:
    from machinectl.commands.url import ip as command

    found = list(command(here.store, names))
    addresses = [(name, address) for name, address in found if isinstance(address, str)]
    if not as_json:
        print_lines(address for _, address in addresses)
    elif addresses:
        print_json([{"Name": name, "IPAddress": address} for name, address in addresses])
    return report_failures((address for _, address in found), here.program)
