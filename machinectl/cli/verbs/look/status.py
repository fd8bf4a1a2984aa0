"""`status` and `version`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer  # noqa: TC002 (Typer resolves a command's annotations when it runs)

from machinectl import __version__
from machinectl.cli.options.typer_verbs import (
    OWN_DIRECTORY,
    AsJson,
    OneName,
    Timeout,
    own_version,
    session,
    verb,
)
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.verbs import light_verbs

if TYPE_CHECKING:
    from collections.abc import Sequence


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    @verb(app, "status")
    def status(
        ctx: typer.Context, names: OneName = None, timeout: Timeout = light_verbs.USUAL_TIMEOUT, as_json: AsJson = False
    ) -> None:
        from machinectl.commands.status import fields
        from machinectl.commands.status import status as command

        name, found = command(session(ctx).store, names or [], timeout)
        if as_json:
            print_json(fields(name, found))
        else:
            light_verbs.tell_status(found, session(ctx).program)

    @verb(app, "version")
    def version(ctx: typer.Context, names: OneName = None, timeout: Timeout = 10, as_json: AsJson = False) -> None:
        if not names:
            print_own_version(as_json=as_json)
            return
        from machinectl.commands.status import engine_version

        name, found = engine_version(session(ctx).store, names, timeout)
        if as_json:
            print_json({"Name": name, "Version": found.version, "APIVersion": found.api_version})
        else:
            write_out(f"{found.version}\n")


def print_own_version(*, as_json: bool) -> None:
    if as_json:
        print_json({"Version": __version__, "Directory": OWN_DIRECTORY})
    else:
        write_out(f"{own_version()}\n")
