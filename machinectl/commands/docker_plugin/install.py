"""`docker-plugin install`: make `docker machine …` run machinectl."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from machinectl.docker_cli import plugin
from machinectl.errors import MachineError, one_line
from machinectl.files.atomic import quote_word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console

# The first docker CLIs with plugins, and with hooks for failed commands.
PLUGINS, HOOKS = (19, 3), (29, 3)
# Seconds; it queries no engine.
VERSION_DEADLINE = 10


def docker_plugin_install(
    console: Console, program: Sequence[str], environment: Mapping[str, str], *, hooks: bool = True
) -> str:
    """Install or update the plugin that starts `program`; return its path.

    Raises MachineError if another program's plugin is in the way.
    """
    if os.name == "nt":
        raise MachineError("docker's plugins are .exe files on Windows, and machinectl has none", "machinectl --help")
    path = plugin.plugin_file(environment)
    if found := plugin.foreign_file(path):
        raise MachineError(
            f"{path} is {found}, and is not changed",
            f"Move it away, and install again: mv {quote_word(path)} {quote_word(f'{path}.old')}",
        )
    plugin.install_plugin(path, program)
    if hooks:
        try:
            plugin.ask_for_hooks(environment)
        except MachineError as exc:
            console.warn(f"docker will not ask machinectl about failed commands: {exc.cause}\n{exc.hint}")
    warn_of_old_docker(console, docker_version(environment), hooks=hooks)
    return path


def docker_version(environment: Mapping[str, str]) -> str:
    """Return its version line, or ""."""
    command = ["docker", "--version"]
    try:
        answer = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=VERSION_DEADLINE,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return one_line(answer.stdout.decode(errors="replace"))


def warn_of_old_docker(console: Console, version: str, *, hooks: bool) -> None:
    """Warn about features that this docker CLI lacks."""
    if not version:
        console.warn("There is no docker CLI on the PATH yet: install it to use the plugin")
    elif not (found := re.match(r"Docker version (\d+)\.(\d+)", version)):
        console.warn(f"The docker on the PATH does not support plugins: {version}")
    elif (number := (int(found[1]), int(found[2]))) < PLUGINS:
        console.warn(f"docker {found[1]}.{found[2]} does not support plugins: 19.03 or later is needed")
    elif hooks and number < HOOKS:
        console.note(f"docker {found[1]}.{found[2]} runs no hooks for failed commands: 29.3 or later is needed")
