"""Install the docker CLI's plugin `machine` (docker/cli: docs/extend/cli_plugins.md)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from machinectl.engine.docker_context import check_docker_directory, docker_directory
from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import (
    full_disk_hint,
    make_directories,
    quote_word,
    read_file,
    remove_if_present,
    write_and_rename,
)
from machinectl.files.ownership import exposed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    if os.path.islink(path):
        return f"a link to {os.readlink(path)}"
    return "a directory" if os.path.isdir(path) else "somebody else's file"


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
    with docker_directory_errors(path):
        check_private(plugins)
        make_directories(plugins)
        check_private(plugins)
        real = os.path.join(os.path.realpath(plugins), FILE)
        write_and_rename(real, f"{real}.machinectl", plugin_script(program), prepare=partial(os.chmod, mode=MODE))
    return path


def remove_plugin(path: str) -> None:
    with docker_directory_errors(path):
        remove_if_present(path)


def check_private(directory: str) -> None:
    """Raise MachineError if another user could replace plugins, even as root (sudo may keep HOME)."""
    if unsafe := exposed(directory, root_anywhere=False):
        raise MachineError(
            f"{unsafe.path} is not safe for a plugin of docker's: {unsafe.why}",
            unsafe.hint() | Hint("or use another directory", "export DOCKER_CONFIG=<DIR>"),
        )


@contextmanager
def docker_directory_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        directory = path
        while not os.path.lexists(directory):
            directory = os.path.dirname(directory)
        elsewhere = Hint("or name another place in DOCKER_CONFIG")
        hint = full_disk_hint(exc, directory) or Hint("See who may do that", "ls -ld", directory) | elsewhere
        raise MachineError(f"Cannot use docker's {path}: {exc.strerror or exc}", hint) from exc
