"""The verb `inventory`."""

from __future__ import annotations

from machinectl.cli.catalogue import PRINTS, Verb
from machinectl.cli.output.stdout import print_json
from machinectl.errors import Hint, UsageError
from machinectl.machines.flags import MACHINE, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session


VERBS = {
    "inventory": Verb(
        "inventory",
        more=(
            "For Ansible, an executable file of two lines calls it: "
            '`#!/bin/sh` and `exec machinectl inventory --ansible "$@"`.'
        ),
        examples=("machinectl inventory --ansible", "machinectl inventory --prometheus > targets.json"),
        flags=(
            Flag("--ansible", help="Print an Ansible inventory."),
            Flag("--prometheus", help="Print engines that serve metrics, for Prometheus file_sd."),
            Flag("--list", help="For Ansible: all hosts (the default).", parameter="listed"),
            Flag("--host", metavar="NAME", help="For Ansible: one host's variables.", value=MACHINE, default=None),
        ),
        output=PRINTS,
    ),
}


def inventory(here: Session, *, ansible: bool, prometheus: bool, listed: bool, host: str | None) -> None:
    from machinectl.inventories import inventory as commands

    if ansible == prometheus:
        ways = Hint("Give one of them", "machinectl inventory --ansible") | Hint(
            "or", "machinectl inventory --prometheus"
        )
        raise UsageError("The inventory is for either --ansible or --prometheus", ways)
    if prometheus and (listed or host is not None):
        raise UsageError("--list and --host are Ansible's", Hint("Leave them out", "machinectl inventory --prometheus"))
    if listed and host is not None:
        raise UsageError("--list and --host exclude each other", Hint("Leave one of them out"))
    if prometheus:
        print_json(commands.prometheus_targets(here.store, here.console))
    elif host is not None:
        print_json(commands.ansible_host(here.store, host))
    else:
        print_json(commands.ansible_inventory(here.store, here.console))
