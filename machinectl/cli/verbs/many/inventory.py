"""`inventory` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.options.typer_verbs import session, verb
from machinectl.cli.output.stdout import print_json
from machinectl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    @verb(
        app,
        "inventory",
        "For Ansible, an executable file of two lines calls it: "
        '`#!/bin/sh` and `exec machinectl inventory --ansible "$@"`.',
    )
    def inventory(
        ctx: typer.Context,
        ansible: Annotated[bool, typer.Option("--ansible", help="As Ansible's inventory scripts print it.")] = False,
        prometheus: Annotated[
            bool, typer.Option("--prometheus", help="The engines with metrics on, as file_sd of Prometheus has them.")
        ] = False,
        listed: Annotated[bool, typer.Option("--list", help="All hosts, for Ansible (the default).")] = False,
        host: Annotated[
            str | None, typer.Option("--host", metavar="NAME", help="The variables of one host, for Ansible.")
        ] = None,
    ) -> None:
        from machinectl.commands import inventory as commands

        if ansible == prometheus:
            raise UsageError("Error: An inventory for whom?", "One of: --ansible --prometheus")
        if prometheus and (listed or host is not None):
            raise UsageError("Error: --list and --host are Ansible's", "machinectl inventory --prometheus")
        if listed and host is not None:
            raise UsageError("Error: --list and --host exclude each other", "Leave one of them out")
        here = session(ctx)
        if prometheus:
            print_json(commands.prometheus_targets(here.store, here.console))
        elif host is not None:
            print_json(commands.ansible_host(here.store, host))
        else:
            print_json(commands.ansible_inventory(here.store, here.console))
