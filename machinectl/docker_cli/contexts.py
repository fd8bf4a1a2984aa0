"""docker's contexts with their metadata and certificates. For the format see `engine.docker_context`.

A write or a removal is complete or not done at all, even if it is killed: DOCKER_CONFIG/contexts/.machinectl/ holds
incoming (new), outgoing (old) and deleted (gone) contexts.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.engine.docker_context import (
    DEFAULT,
    ENDPOINT,
    META_FILE,
    ContextError,
    check_docker_directory,
    context_place,
    docker_directory,
    read_meta,
)
from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import full_disk_hint, make_directories, read_file, remove_tree, write_tree
from machinectl.files.ownership import exposed
from machinectl.json_values import as_dict, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# cli/context/store/store.go: restrictedNamePattern.
FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
CHARACTERS = FIRST | frozenset("_.+-")
SHORTEST_NAME = 2
# The key of our mark in the metadata: docker keeps unknown keys.
MARK = "machinectl"
KINDS = ("tls", "meta")


class Mark(NamedTuple):
    """The store's real path and the machine, or a swarm's context and ID."""

    store: str
    machine: str
    swarm: str = ""

    def dump(self) -> dict[str, str]:
        return {key: value for key, value in self._asdict().items() if value}


@dataclass(frozen=True)
class Context:
    """`document` is meta.json; `tls` has files by endpoint and name."""

    name: str
    document: Mapping[str, Any] = field(default_factory=dict)
    tls: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)

    @property
    def metadata(self) -> dict[str, Any]:
        return as_dict(self.document.get("Metadata"))

    @property
    def endpoints(self) -> dict[str, Any]:
        return as_dict(self.document.get("Endpoints"))

    @property
    def engine(self) -> dict[str, Any]:
        return as_dict(self.endpoints.get(ENDPOINT))

    @property
    def host(self) -> str:
        return str(self.engine.get("Host") or "")

    @property
    def skips_verification(self) -> bool:
        """Whether docker accepts any certificate of the engine."""
        return bool(self.engine.get("SkipTLSVerify"))

    @property
    def files(self) -> dict[str, bytes]:
        return dict(self.tls.get(ENDPOINT, {}))

    @property
    def mark(self) -> Mark | None:
        """Ignore another name's mark, which `docker context create --from` and `import` copy."""
        mark = as_dict(self.metadata.get(MARK))
        if mark.get("machine") != self.name or not isinstance(mark.get("store"), str):
            return None
        return Mark(mark["store"], self.name, str(mark.get("swarm") or ""))

    def pointed(self, mark: Mark, host: str, files: Mapping[str, bytes]) -> Context:
        described = {} if self.document else {"Description": "Kept by machinectl"}
        engine = {**self.engine, "Host": host, "SkipTLSVerify": False}
        document = {
            **self.document,
            "Name": self.name,
            "Metadata": {**described, **self.metadata, MARK: mark.dump()},
            "Endpoints": {**self.endpoints, ENDPOINT: engine},
        }
        others = {endpoint: own for endpoint, own in self.tls.items() if endpoint != ENDPOINT}
        return Context(self.name, document, {**others, ENDPOINT: dict(files)} if files else others)


def invalid_name_reason(name: str) -> str:
    """Return why docker refuses a name, or ""."""
    if name == DEFAULT:
        return f'docker keeps the name "{DEFAULT}" for itself'
    if len(name) < SHORTEST_NAME or name[0] not in FIRST or not CHARACTERS.issuperset(name):
        return f"docker does not take {name!r} as the name of a context"
    return ""


class Contexts:
    """One DOCKER_CONFIG. Reading takes no lock."""

    def __init__(self, config: str = "") -> None:
        self.config = os.path.abspath(config) if config else docker_directory(os.environ)
        self.staging = os.path.join(self.config, "contexts", ".machinectl")

    def place(self, kind: str, name: str) -> str:
        return context_place(self.config, kind, name)

    def names(self) -> list[str]:
        directory = os.path.join(self.config, "contexts", "meta")
        names = []
        for identifier in visible_names(directory):
            place = os.path.join(directory, identifier)
            try:
                name = as_text(read_meta(os.path.join(place, META_FILE)).get("Name"))
            except ContextError:
                continue
            # docker finds a context by its name: ignore names in the wrong directory.
            if self.place("meta", name) == place:
                names.append(name)
        return names

    def read(self, name: str) -> Context | None:
        """Raise ContextError if unreadable."""
        path = os.path.join(self.place("meta", name), META_FILE)
        return Context(name, read_meta(path), read_tls(self.place("tls", name))) if os.path.lexists(path) else None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Create and check directories, lock out other machinectl processes, and recover. Raises ContextError."""
        import fcntl

        check_docker_directory(self.config)
        contexts = os.path.join(self.config, "contexts")
        with docker_errors(self.config):
            make_private(self.config, *(os.path.join(contexts, kind) for kind in KINDS))
            descriptor = os.open(contexts, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with docker_errors(self.config):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._recover()
            yield
        finally:
            os.close(descriptor)

    def put(self, context: Context) -> None:
        """Write all or nothing, inside `writing`. Raises ContextError."""
        place = os.path.basename(self.place("tls", context.name))
        files = {
            os.path.join("tls", place, endpoint, file): data
            for endpoint, files in context.tls.items()
            for file, data in files.items()
        }
        files[os.path.join("meta", place, META_FILE)] = json.dumps(context.document).encode()
        with docker_errors(self.config):
            try:
                make_directories(self._staged("new", "tls", place))
                write_tree(self._staged("new"), files)
                if file := renewed_file(self.read(context.name), context):
                    # docker finds the context all the while.
                    path = os.path.join("tls", place, ENDPOINT, file)
                    os.replace(self._staged("new", path), os.path.join(self.config, "contexts", path))
                else:
                    self._exchange(place)
            finally:
                self._recover()

    def remove(self, name: str) -> None:
        """Enter `writing` first. Raises ContextError."""
        with docker_errors(self.config):
            try:
                self._exchange(os.path.basename(self.place("tls", name)))
            finally:
                self._recover()

    def _exchange(self, place: str) -> None:
        """Swap in the staged context. docker ignores contexts without metadata: it goes first and comes last."""
        for kind in reversed(KINDS):
            move_if_absent(os.path.join(self.config, "contexts", kind, place), self._staged("old", kind, place))
        for kind in KINDS:
            self._move_in("new", kind, place)
        self._delete("old")

    def _recover(self) -> None:
        """Finish an exchange that moved a file in; undo others."""
        for place in visible_names(self._staged("new", "meta")):
            if not os.path.lexists(self._staged("new", "tls", place)):
                self._move_in("new", "meta", place)
        for place in visible_names(self._staged("old", "meta")):
            for kind in KINDS:
                self._move_in("old", kind, place)
        for age in ("new", "old"):
            self._delete(age)
        remove_tree(self.staging)

    def _staged(self, *parts: str) -> str:
        return os.path.join(self.staging, *parts)

    def _move_in(self, age: str, kind: str, place: str) -> None:
        move_if_absent(self._staged(age, kind, place), os.path.join(self.config, "contexts", kind, place))

    def _delete(self, age: str) -> None:
        """Rename first: after a kill, no part may look complete."""
        remove_tree(self._staged("gone"))
        move_if_absent(self._staged(age), self._staged("gone"))
        remove_tree(self._staged("gone"))


def renewed_file(before: Context | None, after: Context) -> str:
    """Return the engine's file in which they differ if that is all, "" otherwise."""
    if not before or before.files.keys() != after.files.keys():
        return ""
    changed = [file for file, data in after.files.items() if before.files[file] != data]
    is_all = replace(before, tls={**before.tls, ENDPOINT: after.files}) == after
    return changed[0] if len(changed) == 1 and is_all else ""


def read_tls(directory: str) -> dict[str, dict[str, bytes]]:
    """Raise ContextError if unreadable."""
    tls: dict[str, dict[str, bytes]] = {}
    try:
        for endpoint in visible_names(directory):
            path = os.path.join(directory, endpoint)
            if os.path.isdir(path):
                files = {file: os.path.join(path, file) for file in visible_names(path)}
                tls[endpoint] = {file: read_file(place) for file, place in files.items() if not os.path.isdir(place)}
    except OSError as exc:
        raise ContextError(
            f"{exc.filename or directory} cannot be read: {exc.strerror}", Hint("See", "ls -lR", directory)
        ) from exc
    return tls


def make_private(*directories: str) -> None:
    """Make docker's directories; refuse those that another user can change, even as root (sudo may keep HOME)."""
    for directory in directories:
        if unsafe := exposed(directory, root_anywhere=False):
            raise ContextError(
                f"{unsafe.path} is not safe for keys and programs: {unsafe.why}",
                unsafe.hint() | Hint("or keep docker's files elsewhere", "export DOCKER_CONFIG=<DIR>"),
            )
        make_directories(directory)


@contextmanager
def docker_errors(config: str) -> Iterator[None]:
    """Translate what the system says about docker's directory."""
    try:
        yield
    except (MachineError, OSError) as exc:
        failure = exc if isinstance(exc, OSError) else exc.__cause__
        if isinstance(exc, ContextError) or not isinstance(failure, OSError):
            raise
        elsewhere = Hint("Keep docker's files where you may write", "export DOCKER_CONFIG=<DIR>")
        raise ContextError(
            f"Cannot write docker's files in {config}: {failure.strerror or failure}",
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
