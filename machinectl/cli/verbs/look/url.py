"""`active`, `url` and `ip`: which machine the shell uses, and where machines are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer  # noqa: TC002 (Typer resolves a command's annotations when it runs)

from machinectl.cli.options.typer_verbs import (
    AsJson,
    Names,
    OneName,
    Timeout,
    session,
    verb,
    with_selector,
)
from machinectl.cli.output.stdout import print_json
from machinectl.cli.verbs import light_verbs
from machinectl.machines.selection import chosen, chosen_one

if TYPE_CHECKING:
    from collections.abc import Sequence


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    @verb(app, "active")
    def active(ctx: typer.Context, timeout: Timeout = light_verbs.USUAL_TIMEOUT, as_json: AsJson = False) -> None:
        here = session(ctx)
        if as_json:
            from machinectl.commands.active import active as command

            print_json({"Name": command(here.store, os.environ), "URL": os.environ["DOCKER_HOST"]})
        else:
            light_verbs.active(here.store, {}, [], here.program)

    @verb(app, "url")
    def url(ctx: typer.Context, names: OneName = None, as_json: AsJson = False) -> None:
        here = session(ctx)
        if as_json:
            from machinectl.commands.url import url as command

            name = chosen_one(here.store, names or [])
            print_json({"Name": name, "URL": command(here.store, [name])})
        else:
            light_verbs.url(here.store, {}, names or [], here.program)

    @verb(app, "ip")
    @with_selector
    def ip(ctx: typer.Context, names: Names = None, as_json: AsJson = False) -> None:
        here = session(ctx)
        if as_json:
            from machinectl.commands.url import ip as command

            wanted = chosen(here.store, names or [])
            addresses = command(here.store, wanted)
            print_json([{"Name": name, "IPAddress": address} for name, address in zip(wanted, addresses, strict=True)])
        else:
            light_verbs.ip(here.store, {}, names or [], here.program)
