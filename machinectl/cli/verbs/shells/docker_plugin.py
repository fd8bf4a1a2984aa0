"""`docker-plugin …` on the command line."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from machinectl.cli.invocation import THIS
from machinectl.cli.output.stdout import write_out

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


def docker_plugin_install(here: Session, *, no_hooks: bool) -> None:
    from machinectl.commands.docker_plugin.install import docker_plugin_install as command

    console = here.console
    path = command(console, program_of(THIS.script), os.environ, hooks=not no_hooks)
    write_out(f"{path}\n")
    console.note("See what it does: docker machine --help")


def docker_plugin_uninstall(here: Session) -> None:
    from machinectl.commands.docker_plugin.uninstall import docker_plugin_uninstall as command

    if path := command(here.console, os.environ):
        write_out(f"{path}\n")


def program_of(script: str) -> list[str]:
    """What starts this program from anywhere: the path that it was started by, not what a link of pipx's leads to.

    `python -m machinectl` shows as the path of __main__.py, which must not be run by itself. -P has Python look
    for modules in no directory where it happens to be started.
    """
    if os.path.basename(script) == "__main__.py":
        return [sys.executable, "-P", "-m", "machinectl"]
    return [os.path.abspath(shutil.which(script) or script)]
