"""`docker-plugin install` and `docker-plugin uninstall`: `docker machine …` runs machinectl."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from machinectl.docker_cli import plugin
from machinectl.errors import Hint, MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console


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
    if not shutil.which("docker", path=environment.get("PATH")):
        console.warn("There is no docker CLI on the PATH yet: install it to use the plugin")
    return path


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
