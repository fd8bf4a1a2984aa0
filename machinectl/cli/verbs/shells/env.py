"""The verbs that point the docker CLI at a machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.options.typer_verbs import AsJson, OneName, session, verb
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.verbs import light_verbs
from machinectl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Swarm = Annotated[bool, typer.Option("--swarm", help="Point at a manager that answers, of the machine's swarm.")]


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    @verb(app, "env")
    def env(
        ctx: typer.Context,
        names: OneName = None,
        shell: Annotated[
            str | None, typer.Option(metavar="SHELL", help="bash, zsh, sh, fish, tcsh, powershell, cmd or emacs.")
        ] = None,
        unset: Annotated[bool, typer.Option("-u", "--unset", help="Print what undoes it.")] = False,
        no_proxy: Annotated[bool, typer.Option("--no-proxy", help="Add the machine's address to NO_PROXY.")] = False,
        swarm: Swarm = False,
        form: Annotated[
            str,
            typer.Option("--format", metavar="FORM", help="A file for tools instead: json, dotenv or properties."),
        ] = "",
        as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    ) -> None:
        if (shell is not None) + bool(form) + as_json > 1:
            raise UsageError("--shell, --format and --json exclude each other", "Leave all but one out")
        flags = {"shell": shell} if shell is not None else {}
        flags.update({"unset": ""} if unset else {})
        flags.update({"no_proxy": ""} if no_proxy else {})
        flags.update({"swarm": ""} if swarm else {})
        form = "json" if as_json else form
        here = session(ctx)
        light_verbs.env(here.store, {**flags, "format": form}, names or [], here.program)

    @verb(app, "config")
    def config(
        ctx: typer.Context,
        names: OneName = None,
        swarm: Swarm = False,
        as_json: AsJson = False,
    ) -> None:
        from machinectl.commands.config import config as command
        from machinectl.machines.selection import chosen_one

        here = session(ctx)
        name = chosen_one(here.store, names or [])
        flags = command(here.store, here.console, [name], os.environ, swarm=swarm)
        if as_json:
            print_json({"Name": name, "Flags": flags})
        else:
            write_out("".join(f"{flag}\n" for flag in flags))
