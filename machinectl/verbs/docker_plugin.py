"""The verbs `docker-plugin …`."""

from __future__ import annotations

import os
import sys

from machinectl.cli.declared_verb import Verb
from machinectl.cli.invocation import THIS
from machinectl.cli.output.stdout import write_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


VERBS = {
    "docker-plugin": Verb(
        "",
        examples=("machinectl docker-plugin install", "machinectl docker-plugin uninstall"),
    ),
    "docker-plugin install": Verb(
        "docker_plugin_install",
        examples=("machinectl docker-plugin install",),
    ),
    "docker-plugin uninstall": Verb(
        "docker_plugin_uninstall",
        examples=("machinectl docker-plugin uninstall",),
    ),
}


def docker_plugin_install(here: Session) -> None:
    from machinectl.commands.docker_plugin import docker_plugin_install as command

    console = here.console
    path = command(console, program_of(THIS.script), os.environ)
    write_out(f"{path}\n")
    console.note("Installed. See what it does: docker machine --help")


def docker_plugin_uninstall(here: Session) -> None:
    from machinectl.commands.docker_plugin import docker_plugin_uninstall as command

    if path := command(here.console, os.environ):
        write_out(f"{path}\n")


def program_of(script: str) -> list[str]:
    """Return an absolute command for this program, without resolving pipx's links.

    `python -m machinectl` has the path of __main__.py, which cannot run by itself. -P keeps the current directory off
    sys.path.
    """
    import shutil

    if os.path.basename(script) == "__main__.py":
        return [sys.executable, "-P", "-m", "machinectl"]
    return [os.path.abspath(shutil.which(script) or script)]
