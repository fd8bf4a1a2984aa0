"""`docker-plugin …` on the command line."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.catalogue import VERBS
from machinectl.cli.invocation import THIS
from machinectl.cli.options.typer_verbs import new_app, session, verb
from machinectl.cli.output.stdout import write_out

if TYPE_CHECKING:
    from collections.abc import Sequence


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add `docker-plugin`, with its verbs."""
    group = new_app(help=VERBS["docker-plugin"].summary, no_args_is_help=True)

    @verb(group, "docker-plugin install")
    def install(
        ctx: typer.Context,
        no_hooks: Annotated[
            bool, typer.Option("--no-hooks", help="Leave docker's config.json alone: it asks for no word of ours.")
        ] = False,
    ) -> None:
        from machinectl.commands.docker_plugin.install import docker_plugin_install

        console = session(ctx).console
        path = docker_plugin_install(console, program_of(THIS.script), os.environ, hooks=not no_hooks)
        write_out(f"{path}\n")
        console.note("See what it does: docker machine --help")

    @verb(group, "docker-plugin uninstall")
    def uninstall(ctx: typer.Context) -> None:
        from machinectl.commands.docker_plugin.uninstall import docker_plugin_uninstall

        if path := docker_plugin_uninstall(session(ctx).console, os.environ):
            write_out(f"{path}\n")

    app.add_typer(group, name="docker-plugin")


def program_of(script: str) -> list[str]:
    """What starts this program from anywhere: the path that it was started by, not what a link of pipx's leads to.

    `python -m machinectl` shows as the path of __main__.py, which must not be run by itself. -P has Python look
    for modules in no directory where it happens to be started.
    """
    if os.path.basename(script) == "__main__.py":
        return [sys.executable, "-P", "-m", "machinectl"]
    return [os.path.abspath(shutil.which(script) or script)]
