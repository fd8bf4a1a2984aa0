"""Replace docker contexts completely or not at all, even if killed.

DOCKER_CONFIG/contexts/.machinectl/ holds incoming (new), outgoing (old) and deleted (gone) ones.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.engine.docker_context import META_FILE, ContextError, check_docker_directory, context_place
from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import full_disk_hint, make_directories, remove_tree, write_new, write_tree
from machinectl.files.ownership import exposed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STAGING = os.path.join("contexts", ".machinectl")
KINDS = ("tls", "meta")


class ContextExchange:
    """Callers hold the lock of `only_writer`."""

    def __init__(self, config: str) -> None:
        self._config = config
        self.staging = os.path.join(config, STAGING)

    def stage(self, name: str, document: bytes, tls: Mapping[str, Mapping[str, bytes]]) -> None:
        """Write metadata last, where docker does not look."""
        place = os.path.basename(context_place(self._config, "tls", name))
        new = {
            os.path.join("tls", place, endpoint, file): data
            for endpoint, files in tls.items()
            for file, data in files.items()
        }
        make_directories(self._staged("new", "tls", name))
        write_tree(os.path.join(self.staging, "new"), {**new, os.path.join("meta", place, META_FILE): document})

    def replace(self, name: str, endpoint: str, file: str, data: bytes) -> None:
        """Replace one file by one rename. docker reads all files of the directory: the new one is written elsewhere."""
        staged = os.path.join(self.staging, "one", file)
        make_directories(os.path.dirname(staged))
        write_new(staged, data)
        os.rename(staged, os.path.join(context_place(self._config, "tls", name), endpoint, file))

    def exchange(self, name: str) -> None:
        """Swap in the staged context.

        docker ignores contexts without metadata: it goes first and comes last. After a power cut, run `context sync`.
        """
        for kind in reversed(KINDS):
            move_if_absent(context_place(self._config, kind, name), self._staged("old", kind, name))
        for kind in KINDS:
            move_if_absent(self._staged("new", kind, name), context_place(self._config, kind, name))
        self._delete("old")

    def recover(self) -> None:
        """Finish an exchange that moved a file in; undo others."""
        if not os.path.lexists(self.staging):
            return
        new, old = (os.path.join(self.staging, age) for age in ("new", "old"))
        for place in visible_names(os.path.join(new, "meta")):
            if not os.path.lexists(os.path.join(new, "tls", place)):
                self._move_in(new, "meta", place)
        for place in visible_names(os.path.join(old, "meta")):
            for kind in KINDS:
                self._move_in(old, kind, place)
        for age in ("new", "old"):
            self._delete(age)
        remove_tree(self.staging)

    def _move_in(self, staged: str, kind: str, place: str) -> None:
        move_if_absent(os.path.join(staged, kind, place), os.path.join(self._config, "contexts", kind, place))

    def _delete(self, age: str) -> None:
        """Rename first: after a kill, no part may look complete."""
        gone = os.path.join(self.staging, "gone")
        remove_tree(gone)
        move_if_absent(os.path.join(self.staging, age), gone)
        remove_tree(gone)

    def _staged(self, age: str, kind: str, name: str) -> str:
        return os.path.join(self.staging, age, kind, os.path.basename(context_place(self._config, kind, name)))


@contextmanager
def only_writer(config: str) -> Iterator[None]:
    """Create and check directories; lock out other machinectl processes."""
    import fcntl

    check_docker_directory(config)
    contexts = os.path.join(config, "contexts")
    with context_errors(config):
        check_private(config)
        for directory in (config, *(os.path.join(contexts, kind) for kind in KINDS)):
            make_directories(directory)
            check_private(directory)
        descriptor = os.open(contexts, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with context_errors(config):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def check_private(directory: str) -> None:
    """Refuse a directory that another user owns or can replace, even as root (sudo may keep HOME)."""
    if unsafe := exposed(directory, root_anywhere=False):
        raise ContextError(
            f"{unsafe.path} is not safe for keys: {unsafe.why}",
            unsafe.hint() | Hint("or keep docker's contexts elsewhere", "export DOCKER_CONFIG=<DIR>"),
        )


@contextmanager
def context_errors(config: str) -> Iterator[None]:
    try:
        yield
    except (MachineError, OSError) as exc:
        failure = exc if isinstance(exc, OSError) else exc.__cause__
        if isinstance(exc, ContextError) or not isinstance(failure, OSError):
            raise
        elsewhere = Hint("Keep docker's contexts where you may write", "export DOCKER_CONFIG=<DIR>")
        raise ContextError(
            f"Cannot write docker's contexts in {config}: {failure.strerror or failure}",
            full_disk_hint(failure, config) or elsewhere,
        ) from exc


def move_if_absent(path: str, target: str) -> None:
    if os.path.lexists(path) and not os.path.lexists(target):
        make_directories(os.path.dirname(target))
        os.rename(path, target)


def visible_names(directory: str) -> list[str]:
    """List a directory, if any. docker ignores hidden names."""
    try:
        return [name for name in os.listdir(directory) if not name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
