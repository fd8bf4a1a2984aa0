"""The verbs `docker-plugin …`."""

from __future__ import annotations

import os
import sys

from machinectl.cli.catalogue import Verb
from machinectl.cli.invocation import THIS
from machinectl.cli.output.stdout import write_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session


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
    import shutil

    from machinectl.docker_cli.plugin import install_plugin

    write_out(f"{install_plugin(program_of(THIS.script), os.environ)}\n")
    if not shutil.which("docker"):
        here.console.warn("There is no docker CLI on the PATH yet: install it to use the plugin")
    here.console.note("Installed. See what it does: docker machine --help")


def docker_plugin_uninstall(here: Session) -> None:
    from machinectl.docker_cli.plugin import foreign_file, is_ours, plugin_file, remove_plugin

    path = plugin_file(os.environ)
    if foreign := foreign_file(path):
        here.console.note(f"{path} is {foreign}, and is not changed")
    elif is_ours(path):
        remove_plugin(path)
        write_out(f"{path}\n")
    else:
        here.console.note(f"There is no plugin at {path}")


def program_of(script: str) -> list[str]:
    """Return an absolute command for this program, without resolving pipx's links.

    `python -m machinectl` has the path of __main__.py, which cannot run by itself. -P keeps the current directory off
    sys.path.
    """
    import shutil

    if os.path.basename(script) == "__main__.py":
        return [sys.executable, "-P", "-m", "machinectl"]
    return [os.path.abspath(shutil.which(script) or script)]
