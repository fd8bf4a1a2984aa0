"""Install the docker CLI's plugin `machine` (docker/cli: docs/extend/cli_plugins.md)."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from machinectl.docker_cli.contexts import docker_errors, make_private
from machinectl.engine.docker_context import check_docker_directory, docker_directory
from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import quote_word, read_file, remove_if_present, write_and_rename

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLUGINS = "cli-plugins"
FILE = "docker-machine"
# Everyone may run it.
MODE = 0o755
# Identifies our file.
MARK = b"# machinectl's plugin for the docker CLI."


def plugin_file(environment: Mapping[str, str]) -> str:
    return os.path.join(docker_directory(environment), PLUGINS, FILE)


def is_ours(path: str) -> bool:
    try:
        return MARK in read_file(path)
    except OSError:
        return False


def foreign_file(path: str) -> str:
    """Return what is at the plugin's path that is not ours, or ""."""
    if not os.path.lexists(path) or is_ours(path):
        return ""
    return f"a link to {os.readlink(path)}" if os.path.islink(path) else "not machinectl's"


def plugin_script(program: Sequence[str]) -> bytes:
    with open(os.path.join(os.path.dirname(__file__), "docker_plugin.sh"), encoding="utf-8") as file:
        text = file.read()
    arguments = "".join(f"{quote_word(word)} " for word in program[1:])
    return os.fsencode(text.replace("@PROGRAM@", quote_word(program[0])).replace("@ARGUMENTS@", arguments))


def install_plugin(program: Sequence[str], environment: Mapping[str, str]) -> str:
    """Install or update the plugin that starts `program`; return its path.

    Raises MachineError if another program's plugin is in the way, or another user could replace ours.
    """
    path = plugin_file(environment)
    if foreign := foreign_file(path):
        raise MachineError(
            f"{path} is {foreign}, and is not changed",
            Hint("Move it away, and install again", "mv", path, f"{path}.old"),
        )
    plugins = os.path.dirname(path)
    check_docker_directory(os.path.dirname(plugins))
    with docker_errors(plugins):
        make_private(plugins)
        real = os.path.join(os.path.realpath(plugins), FILE)
        write_and_rename(real, f"{real}.machinectl", plugin_script(program), prepare=partial(os.chmod, mode=MODE))
    return path


def remove_plugin(path: str) -> None:
    with docker_errors(os.path.dirname(path)):
        remove_if_present(path)
