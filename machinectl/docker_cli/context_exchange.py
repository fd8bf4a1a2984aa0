"""Replace docker contexts completely or not at all, even if killed.

DOCKER_CONFIG/contexts/.machinectl/ holds incoming (new), outgoing (old) and deleted (gone) ones.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.docker_cli.docker_directory import check_docker_directory
from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import full_disk_hint, make_directories, remove_tree, write_new, write_tree
from machinectl.files.ownership import FOREIGN, Exposed, exposed_above, other_writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STAGING = ".machinectl"
META_FILE = "meta.json"
KINDS = ("tls", "meta")


class ContextError(MachineError):
    """docker's contexts cannot be read or written."""


def context_place(root: str, kind: str, name: str) -> str:
    return os.path.join(root, kind, hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest())


class ContextExchange:
    """Callers hold the lock of `only_writer`."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.staging = os.path.join(root, STAGING)

    @property
    def is_unfinished(self) -> bool:
        return os.path.lexists(self.staging)

    def stage(self, name: str, document: bytes, tls: Mapping[str, Mapping[str, bytes]]) -> None:
        """Write metadata last, where docker does not look."""
        tree = {os.path.join(each, file): data for each, files in tls.items() for file, data in files.items()}
        place = os.path.basename(context_place(self._root, "tls", name))
        new = {os.path.join("tls", place, path): data for path, data in tree.items()}
        make_directories(self._staged("new", "tls", name))
        write_tree(os.path.join(self.staging, "new"), {**new, os.path.join("meta", place, META_FILE): document})

    def replace(self, name: str, endpoint: str, file: str, data: bytes) -> None:
        """Replace one file by one rename. docker reads all files of the directory: the new one is written elsewhere."""
        staged = os.path.join(self.staging, "one", file)
        make_directories(os.path.dirname(staged))
        write_new(staged, data)
        os.rename(staged, os.path.join(context_place(self._root, "tls", name), endpoint, file))

    def exchange(self, name: str) -> None:
        """Swap in the staged context.

        docker ignores contexts without metadata: it goes first and comes last. After a power cut, run `context sync`.
        """
        for kind in reversed(KINDS):
            move_if_absent(context_place(self._root, kind, name), self._staged("old", kind, name))
        for kind in KINDS:
            move_if_absent(self._staged("new", kind, name), context_place(self._root, kind, name))
        self._delete("old")

    def recover(self) -> None:
        """Finish an exchange that moved a file in; undo others."""
        if not self.is_unfinished:
            return
        new, old = (os.path.join(self.staging, age) for age in ("new", "old"))
        for each in list_directory(os.path.join(new, "meta")):
            if not os.path.lexists(os.path.join(new, "tls", each)):
                move_if_absent(os.path.join(new, "meta", each), os.path.join(self._root, "meta", each))
        for each in list_directory(os.path.join(old, "meta")):
            for kind in KINDS:
                move_if_absent(os.path.join(old, kind, each), os.path.join(self._root, kind, each))
        for age in ("new", "old"):
            self._delete(age)
        remove_tree(self.staging)

    def _delete(self, age: str) -> None:
        """Rename first: after a kill, no part may look complete."""
        gone = os.path.join(self.staging, "gone")
        remove_tree(gone)
        move_if_absent(os.path.join(self.staging, age), gone)
        remove_tree(gone)

    def _staged(self, age: str, kind: str, name: str) -> str:
        return os.path.join(self.staging, age, kind, os.path.basename(context_place(self._root, kind, name)))


@contextmanager
def only_writer(config: str, root: str) -> Iterator[None]:
    """Create and check directories; lock out other machinectl processes."""
    import fcntl

    check_docker_directory(config)
    with context_errors(config):
        check_home(config)
        for directory in (config, root, *(os.path.join(root, kind) for kind in KINDS)):
            make_directories(directory)
            check_directory_owner(directory)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with context_errors(config):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def check_home(config: str) -> None:
    """Refuse a home that another user owns or can replace, even as root (sudo may keep HOME)."""
    if exposed := exposed_above(config):
        raise unsafe_place(exposed)
    above = config
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if os.name != "nt" and os.stat(above).st_uid not in {0, os.geteuid()}:
        raise unsafe_place(Exposed(above, FOREIGN))


def check_directory_owner(directory: str) -> None:
    foreign = os.name != "nt" and os.stat(directory).st_uid != os.geteuid()
    if why := FOREIGN if foreign else other_writer(directory):
        raise unsafe_place(Exposed(directory, why))


@contextmanager
def context_errors(config: str) -> Iterator[None]:
    try:
        yield
    except MachineError as exc:
        if isinstance(exc, ContextError) or not isinstance(exc.__cause__, OSError):
            raise
        raise cannot_write(config, exc.__cause__) from exc
    except OSError as exc:
        raise cannot_write(config, exc) from exc


def cannot_write(config: str, why: OSError) -> ContextError:
    hint = full_disk_hint(why, config) or Hint(
        "Keep docker's contexts where you may write", "export DOCKER_CONFIG=<DIR>"
    )
    return ContextError(f"Cannot write docker's contexts in {config}: {why.strerror or why}", hint)


def unsafe_place(exposed: Exposed) -> ContextError:
    return ContextError(
        f"{exposed.path} is not safe for keys: {exposed.why}",
        exposed.hint() | Hint("or keep docker's contexts elsewhere", "export DOCKER_CONFIG=<DIR>"),
    )


def move_if_absent(path: str, target: str) -> None:
    if os.path.lexists(path) and not os.path.lexists(target):
        make_directories(os.path.dirname(target))
        os.rename(path, target)


def list_directory(directory: str) -> list[str]:
    """List a directory, if any. docker ignores hidden names."""
    try:
        return [name for name in os.listdir(directory) if not name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
