"""Install the docker CLI's plugin `machine` (docker/cli: docs/extend/cli_plugins.md)."""

from __future__ import annotations

import errno
import json
import os
import stat
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from machinectl.engine.docker_context import check_docker_directory, docker_directory
from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import full_disk_hint, quote_word, read_file, remove_if_present, write_and_rename
from machinectl.files.ownership import exposed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PLUGINS = "cli-plugins"
FILE = "docker-machine"
CONFIGURATION = "config.json"
# Identifies our file.
MARK = b"# machinectl's plugin for the docker CLI."
# Everyone must be able to run the plugin; docker's configuration may hold passwords.
PROGRAM, PRIVATE = 0o755, 0o600
# Earlier versions of machinectl had docker 29.3 and later call them when a command failed.
OLD_HOOKS = ("plugins", "machine", "error-hooks")


def plugin_file(environment: Mapping[str, str]) -> str:
    return os.path.join(docker_directory(environment), PLUGINS, FILE)


def plugin_script(program: Sequence[str]) -> bytes:
    with open(os.path.join(os.path.dirname(__file__), "docker_plugin.sh"), encoding="utf-8") as file:
        text = file.read()
    words = {
        "@PROGRAM@": quote_word(program[0]),
        "@ARGUMENTS@": "".join(f"{quote_word(word)} " for word in program[1:]),
    }
    for place, value in words.items():
        text = text.replace(place, value)
    return os.fsencode(text)


def is_ours(path: str) -> bool:
    try:
        return MARK in read_file(path)
    except OSError:
        return False


def foreign_file(path: str) -> str:
    if not os.path.lexists(path) or is_ours(path):
        return ""
    if os.path.islink(path):
        return f"a link to {os.readlink(path)}"
    return "a directory" if os.path.isdir(path) else "somebody else's file"


def install_plugin(path: str, program: Sequence[str]) -> None:
    """Create docker's directories, too. Raises MachineError."""
    plugins = os.path.dirname(path)
    docker = os.path.dirname(plugins)
    check_docker_directory(docker)
    with docker_directory_errors(path):
        check_private(docker)
        make_directory(docker, 0o700)
        make_directory(plugins, 0o755)
        for each in (docker, plugins):
            check_private(each)
    replace_docker_file(path, plugin_script(program), PROGRAM)


def remove_docker_file(path: str) -> None:
    with docker_directory_errors(path):
        remove_if_present(path)


def remove_old_hooks(environment: Mapping[str, str]) -> None:
    """Remove OLD_HOOKS from docker's config.json if that is possible: they do nothing."""
    path = os.path.join(docker_directory(environment), CONFIGURATION)
    try:
        document = json.loads(read_file(path))
        if without(document, OLD_HOOKS):
            # As docker writes it (docker/cli cli/config/configfile, SaveToWriter).
            replace_docker_file(path, json.dumps(document, indent="\t", ensure_ascii=False).encode(), PRIVATE)
    except (MachineError, OSError, ValueError, RecursionError):
        return


def without(document: Any, path: Sequence[str]) -> bool:
    """Remove a value and its empty parents from a JSON document; return whether it was there."""
    key, *rest = path
    if not isinstance(document, dict) or key not in document or (rest and not without(document[key], rest)):
        return False
    if not (rest and document[key]):
        del document[key]
    return True


def replace_docker_file(path: str, data: bytes, mode: int) -> None:
    """Write atomically, through links; keep mode and owner."""
    whose = os.path.dirname(path)
    path = os.path.realpath(path)
    place = os.path.dirname(path)
    temporary = os.path.join(place, f".{os.path.basename(path)}.machinectl")
    with docker_directory_errors(path):
        check_link_owner(whose, place)
        write_and_rename(path, temporary, data, prepare=partial(copy_mode_and_owner, path=path, mode=mode))


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


def copy_mode_and_owner(descriptor: int, path: str, mode: int) -> None:
    """Copy the old file's mode and owner, else `mode` and the directory's owner."""
    try:
        before = os.stat(path)
        mode = stat.S_IMODE(before.st_mode) | (mode & 0o111)
    except FileNotFoundError:
        before = os.stat(os.path.dirname(path))
    copy_owner(descriptor, before)
    os.chmod(descriptor, mode)


def make_directory(path: str, mode: int) -> None:
    """Give it the parent's owner."""
    try:
        os.mkdir(path, mode)
    except FileExistsError as exc:
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from exc
    else:
        copy_owner(path, os.stat(os.path.dirname(path)))


def copy_owner(what: int | str, like: os.stat_result) -> None:
    """Give root's files to the directory's owner (sudo). Does not follow that owner's links."""
    if os.geteuid() == 0 and like.st_uid:
        change = os.chown if isinstance(what, int) else os.lchown
        change(what, like.st_uid, like.st_gid)  # type: ignore[arg-type]  # lchown is for the path alone


@contextmanager
def docker_directory_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        directory = nearest_existing(path)
        elsewhere = Hint("or name another place in DOCKER_CONFIG")
        hint = full_disk_hint(exc, directory) or Hint("See who may do that", "ls -ld", directory) | elsewhere
        raise MachineError(f"Cannot use docker's {path}: {exc.strerror or exc}", hint) from exc


def nearest_existing(path: str) -> str:
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path
