"""Install the docker CLI's plugin `machine` and its hooks.

docker/cli: docs/extend/cli_plugins.md, cli/config/configfile, cli-plugins/manager/hooks.go.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from machinectl.docker_cli.docker_directory import check_docker_directory, docker_directory
from machinectl.errors import MachineError
from machinectl.files.atomic import full_disk_hint, quote_word, read_file, remove_if_present, write_and_rename
from machinectl.files.json_text import remove_value, set_value
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
# docker 29.3 and later call hooks when a command fails, by its first words: these commands ask an engine.
HOOKS = ["plugins", "machine", "error-hooks"]
ASKING = (
    "attach bake build builder buildx checkpoint commit compose config container cp create diff events exec export "
    "history image images import info inspect kill load logs network node pause plugin port ps pull push rename "
    "restart rm rmi run save search secret service stack start stats stop swarm system tag top unpause update version "
    "volume wait"
)
WANTED = ASKING.replace(" ", ",")


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


def ask_for_hooks(environment: Mapping[str, str]) -> None:
    """Add our hooks to config.json, changing nothing else."""
    path, text = read_configuration(environment)
    with configuration_errors(path):
        wanted = set_value(text or "{}\n", HOOKS, WANTED)
    if wanted != text:
        replace_docker_file(path, wanted.encode(), PRIVATE)


def asks_for_hooks(environment: Mapping[str, str]) -> bool:
    """Return whether config.json has exactly our hooks."""
    path, text = read_configuration(environment)
    with configuration_errors(path):
        return bool(text) and set_value(text, HOOKS, WANTED) == text


def ask_for_no_hooks(environment: Mapping[str, str]) -> None:
    path, text = read_configuration(environment)
    if not text:
        return
    with configuration_errors(path):
        left = remove_value(text, HOOKS)
    if left.strip() == "{}" and not os.path.islink(path):
        remove_docker_file(path)
    elif left != text:
        replace_docker_file(path, left.encode(), PRIVATE)


def read_configuration(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the path of config.json and its text."""
    path = os.path.join(docker_directory(environment), CONFIGURATION)
    with docker_directory_errors(path), configuration_errors(path):
        try:
            return path, read_file(path).decode()
        except FileNotFoundError:
            return path, ""


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
            found.hint("use another directory: export DOCKER_CONFIG=<DIR>"),
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
        hint = f"See who may do that: ls -ld {quote_word(directory)}; or name another place in DOCKER_CONFIG"
        hint = full_disk_hint(exc, directory) or hint
        raise MachineError(f"Cannot use docker's {path}: {exc.strerror or exc}", hint) from exc


def nearest_existing(path: str) -> str:
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


@contextmanager
def configuration_errors(path: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, RecursionError) as exc:
        raise MachineError(
            f"docker's {path} is not valid: {exc}", f"See: python3 -m json.tool {quote_word(path)}"
        ) from exc
