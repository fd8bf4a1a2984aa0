"""The verbs `active`, `url` and `ip`."""

from __future__ import annotations

import os

from machinectl.cli.output.stdout import print_json, write_out
from machinectl.machines.selection import chosen, chosen_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


def active(here: Session, *, timeout: float, as_json: bool) -> None:
    from machinectl.commands.active import active as command

    name = command(here.store, os.environ)
    if as_json:
        print_json({"Name": name, "URL": os.environ["DOCKER_HOST"]})
    else:
        write_out(f"{name}\n")


def url(here: Session, *, names: list[str], as_json: bool) -> None:
    from machinectl.commands.url import url as command

    found = command(here.store, names)
    if as_json:
        print_json({"Name": chosen_one(here.store, names), "URL": found})
    else:
        write_out(f"{found}\n")


def ip(here: Session, *, names: list[str], as_json: bool) -> None:
    from machinectl.commands.url import ip as command

    addresses = list(command(here.store, names))
    if as_json:
        wanted = chosen(here.store, names)
        print_json([{"Name": name, "IPAddress": address} for name, address in zip(wanted, addresses, strict=True)])
    else:
        write_out("".join(f"{address}\n" for address in addresses))
