"""`docker-plugin install` and `docker-plugin uninstall`: `docker machine …` runs machinectl."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from machinectl.docker_cli import plugin
from machinectl.errors import Hint, MachineError, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console

# The first docker CLI with plugins.
PLUGINS = (19, 3)
# Seconds; it queries no engine.
VERSION_DEADLINE = 10


def docker_plugin_install(console: Console, program: Sequence[str], environment: Mapping[str, str]) -> str:
    """Install or update the plugin that starts `program`; return its path.

    Raises MachineError if another program's plugin is in the way.
    """
    if os.name == "nt":
        raise MachineError(
            "docker's plugins are .exe files on Windows, and machinectl has none",
            Hint("Call it by its own name", "machinectl --help"),
        )
    path = plugin.plugin_file(environment)
    if found := plugin.foreign_file(path):
        raise MachineError(
            f"{path} is {found}, and is not changed",
            Hint("Move it away, and install again", "mv", path, f"{path}.old"),
        )
    plugin.install_plugin(path, program)
    plugin.remove_old_hooks(environment)
    warn_of_old_docker(console, docker_version(environment))
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


def warn_of_old_docker(console: Console, version: str) -> None:
    """Warn if this docker CLI runs no plugins."""
    if not version:
        console.warn("There is no docker CLI on the PATH yet: install it to use the plugin")
    elif not (found := re.match(r"Docker version (\d+)\.(\d+)", version)):
        console.warn(f"The docker on the PATH does not support plugins: {version}")
    elif (int(found[1]), int(found[2])) < PLUGINS:
        console.warn(f"docker {found[1]}.{found[2]} does not support plugins: 19.03 or later is needed")


def docker_plugin_uninstall(console: Console, environment: Mapping[str, str]) -> str:
    """Return the plugin's path, "" if it was not installed."""
    path = plugin.plugin_file(environment)
    if found := plugin.foreign_file(path):
        console.note(f"{path} is {found}, and is not changed")
        return ""
    is_there = plugin.is_ours(path)
    if is_there:
        plugin.remove_docker_file(path)
    else:
        console.note(f"There is no plugin at {path}")
    plugin.remove_old_hooks(environment)
    return path if is_there else ""
