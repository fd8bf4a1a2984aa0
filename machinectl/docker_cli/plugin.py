"""Install the docker CLI's plugin `machine` (docker/cli: docs/extend/cli_plugins.md)."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.engine.docker_context import check_docker_directory, docker_directory
from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import full_disk_hint, quote_word, read_file, remove_if_present, write_and_rename
from machinectl.files.ownership import exposed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PLUGINS = "cli-plugins"
FILE = "docker-machine"
# Identifies our file.
MARK = b"# machinectl's plugin for the docker CLI."
# Everyone must be able to run it.
MODE = 0o755


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
    docker = os.path.dirname(plugins)
    check_docker_directory(docker)
    with docker_directory_errors(path):
        check_private(docker)
        make_directory(docker, 0o700)
        make_directory(plugins, 0o755)
        for directory in (docker, plugins):
            check_private(directory)
        real = os.path.join(os.path.realpath(plugins), FILE)
        check_link_owner(plugins, os.path.dirname(real))
        write_and_rename(real, f"{real}.machinectl", plugin_script(program), prepare=lambda file: own_file(file, real))
    return path


def remove_plugin(path: str) -> None:
    with docker_directory_errors(path):
        remove_if_present(path)


def check_private(directory: str) -> None:
    """Raise MachineError if another user could replace plugins."""
    if found := exposed(directory):
        raise MachineError(
            f"{found.path} is not safe for a plugin of docker's: {found.why}",
            found.hint() | Hint("or use another directory", "export DOCKER_CONFIG=<DIR>"),
        )


def check_link_owner(directory: str, place: str) -> None:
    """As root, refuse another user's link to a place they do not own."""
    owner = os.lstat(directory).st_uid
    if os.geteuid() == 0 and owner not in {0, os.stat(place).st_uid}:
        raise PermissionError(errno.EPERM, "A link there leads to what is not its owner's", place)


def own_file(descriptor: int, path: str) -> None:
    """Give root's file to the directory's owner (sudo)."""
    owner = os.stat(os.path.dirname(path))
    if os.geteuid() == 0 and owner.st_uid:
        os.chown(descriptor, owner.st_uid, owner.st_gid)
    os.chmod(descriptor, MODE)


def make_directory(path: str, mode: int) -> None:
    """Give it the parent's owner. Does not follow that owner's links."""
    try:
        os.mkdir(path, mode)
    except FileExistsError as exc:
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from exc
    else:
        parent = os.stat(os.path.dirname(path))
        if os.geteuid() == 0 and parent.st_uid:
            os.lchown(path, parent.st_uid, parent.st_gid)


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
