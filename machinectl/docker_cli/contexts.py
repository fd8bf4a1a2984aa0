"""docker's contexts: where its CLI keeps the engines that it knows by name, read as a value and written whole.

The format is docker/cli's, cli/context/store (doc.go, metadatastore.go, tlsstore.go):

DOCKER_CONFIG/contexts/meta/ID/meta.json  the name, free metadata, and the endpoints, {"docker": {"Host": …}}
DOCKER_CONFIG/contexts/tls/ID/docker/     ca.pem, cert.pem and key.pem for that endpoint; ID is the SHA-256 of the name
DOCKER_CONFIG/contexts/.machinectl/       what is on its way in (new), out (old) or gone; docker never looks there
DOCKER_CONFIG/config.json                 among others the current context
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import MachineError
from machinectl.files.atomic import (
    PRIVATE_DIRECTORY,
    quoted,
    read_file,
    remove_tree,
    replace_file,
    write_new,
)
from machinectl.files.ownership import FOREIGN, Exposed, exposed_above, other_writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# cli/context/store/store.go: restrictedNamePattern, and the name that is none.
DEFAULT = "default"
FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
CHARACTERS = FIRST | frozenset("_.+-")
SHORTEST_NAME = 2
# cli/context/docker/constants.go, and the names of its files in cli/context/tlsdata.go.
ENDPOINT = "docker"
TLS_FILES = ("ca.pem", "cert.pem", "key.pem")
META_FILE = "meta.json"
KEYS = {"name": "Name", "metadata": "Metadata", "endpoints": "Endpoints"}
# Where our mark is in a context's metadata: docker keeps what it does not know there.
MARK = "machinectl"
STAGING = ".machinectl"
KINDS = ("tls", "meta")


class ContextError(MachineError):
    """docker's contexts cannot be read or written: no directory, permissions, a full disk, a context that is none."""


class Mark(NamedTuple):
    """What says that a context is a machinectl's: the store, as a real path, and the machine's name in it.

    A swarm's has the context's own name in the place of a machine's, and the ID of the swarm.
    """

    store: str
    machine: str
    swarm: str = ""

    def dump(self) -> dict[str, str]:
        return {key: value for key, value in self._asdict().items() if value}


class Current(NamedTuple):
    """The context that docker would take, and what has it do so: a variable, config.json, or "" where nothing does."""

    name: str
    by: str = ""


@dataclass(frozen=True)
class Context:
    """One context as docker has it.

    `document` is its meta.json with all that anybody has written into it, `tls` the files of each of its endpoints.
    """

    name: str
    document: Mapping[str, Any] = field(default_factory=dict)
    tls: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)

    @property
    def metadata(self) -> dict[str, Any]:
        return part(self.document, "Metadata")

    @property
    def endpoints(self) -> dict[str, Any]:
        return part(self.document, "Endpoints")

    @property
    def host(self) -> str:
        """Where the engine is, in docker's notation; "" where the context does not say."""
        return str(part(self.endpoints, ENDPOINT).get("Host") or "")

    @property
    def skips_verification(self) -> bool:
        """Whether docker takes any certificate of the engine's."""
        return bool(part(self.endpoints, ENDPOINT).get("SkipTLSVerify"))

    @property
    def files(self) -> dict[str, bytes]:
        """What opens the engine, by the names of TLS_FILES; empty where it is spoken to without TLS."""
        return dict(self.tls.get(ENDPOINT, {}))

    @property
    def mark(self) -> Mark | None:
        """Whose it is, where it is a machinectl's.

        `docker context create --from` and `docker context import` copy the mark under another name: that is no mark.
        """
        found = self.metadata.get(MARK)
        if not isinstance(found, dict) or found.get("machine") != self.name or not isinstance(found.get("store"), str):
            return None
        return Mark(found["store"], self.name, str(found.get("swarm") or ""))

    def pointed(self, mark: Mark, host: str, files: Mapping[str, bytes]) -> Context:
        """The same context with our mark, leading to an engine; what others wrote into it stays."""
        described = {} if self.document else {"Description": "Kept by machinectl"}
        metadata = {**described, **self.metadata, MARK: mark.dump()}
        endpoint = {**part(self.endpoints, ENDPOINT), "Host": host, "SkipTLSVerify": False}
        endpoints = {**self.endpoints, ENDPOINT: endpoint}
        others = {key: value for key, value in self.document.items() if key not in {"Name", "Metadata", "Endpoints"}}
        document = {"Name": self.name, "Metadata": metadata, "Endpoints": endpoints, **others}
        tls = {endpoint: found for endpoint, found in self.tls.items() if endpoint != ENDPOINT}
        return Context(self.name, document, {**tls, ENDPOINT: dict(files)} if files else tls)


def part(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object within another; one that is missing, or no object, is empty."""
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def invalid_name_reason(name: str) -> str:
    """Why docker takes a name for no context's; "" where it does."""
    if name == DEFAULT:
        return f'docker keeps the name "{DEFAULT}" for itself'
    if len(name) < SHORTEST_NAME:
        return f"docker takes no name of {'one letter' if name else 'no letters'} for a context"
    if name[0] not in FIRST or not CHARACTERS.issuperset(name):
        return f"docker does not take {name!r} as the name of a context"
    return ""


class Contexts:
    """The contexts of one DOCKER_CONFIG. Reading takes no lock."""

    def __init__(self, config: str = "") -> None:
        # cli/config/config.go: Dir
        self.config = os.path.abspath(config or os.environ.get("DOCKER_CONFIG", "") or os.path.expanduser("~/.docker"))
        self.root = os.path.join(self.config, "contexts")
        self.staging = os.path.join(self.root, STAGING)

    def place(self, kind: str, name: str) -> str:
        """The directory that holds a context's `meta` or `tls`."""
        return os.path.join(self.root, kind, hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest())

    def names(self) -> list[str]:
        """The names of all contexts that can be read, in no order."""
        try:
            ids = os.listdir(os.path.join(self.root, "meta"))
        except OSError:
            return []
        found = []
        for each in ids:
            try:
                name = self.parse(os.path.join(self.root, "meta", each, META_FILE)).get("Name")
            except ContextError:
                continue
            # A context is found by its name: what stands elsewhere is none.
            if isinstance(name, str) and self.place("meta", name) == os.path.join(self.root, "meta", each):
                found.append(name)
        return found

    def read(self, name: str) -> Context | None:
        """A context, None where there is none of that name. Raises ContextError for one that cannot be read."""
        path = os.path.join(self.place("meta", name), META_FILE)
        if not os.path.lexists(path):
            return None
        return Context(name, self.parse(path), self.read_tls(name))

    def parse(self, path: str) -> dict[str, Any]:
        try:
            document = json.loads(read_file(path))
        except OSError as exc:
            raise ContextError(f"{path} cannot be read: {exc.strerror}", f"See: ls -l {quoted(path)}") from exc
        except (ValueError, RecursionError) as exc:
            raise ContextError(f"{path} is not JSON", f"See what it holds, or remove it: {quoted(path)}") from exc
        if not isinstance(document, dict):
            raise ContextError(f"{path} is not a context", f"See what it holds, or remove it: {quoted(path)}")
        # encoding/json finds the keys of its structures in whatever case they are written.
        return {KEYS.get(str(key).lower(), str(key)): value for key, value in document.items()}

    def read_tls(self, name: str) -> dict[str, dict[str, bytes]]:
        """The files of each endpoint, as far as docker would take them. Raises ContextError."""
        directory = self.place("tls", name)
        found: dict[str, dict[str, bytes]] = {}
        try:
            for endpoint in listed(directory):
                path = os.path.join(directory, endpoint)
                if os.path.isdir(path):
                    names = [file for file in listed(path) if not os.path.isdir(os.path.join(path, file))]
                    found[endpoint] = {file: read_file(os.path.join(path, file)) for file in names}
        except OSError as exc:
            raise ContextError(
                f"{exc.filename or directory} cannot be read: {exc.strerror}", f"See: ls -lR {quoted(directory)}"
            ) from exc
        return found

    def current(self, environment: Mapping[str, str]) -> Current:
        """The context that docker would take (cli/command/cli.go: resolveContextName), whether it is there or not."""
        if environment.get("DOCKER_HOST"):
            return Current(DEFAULT, "DOCKER_HOST")
        if name := environment.get("DOCKER_CONTEXT"):
            return Current(name, "DOCKER_CONTEXT")
        name = self.chosen()
        return Current(name, "config.json") if name else Current(DEFAULT)

    def chosen(self) -> str:
        """The context that `docker context use` chose; "" where it chose none, or docker could not read it either."""
        try:
            document = json.loads(read_file(os.path.join(self.config, "config.json")))
        except (OSError, ValueError, RecursionError):
            return ""
        found = document.get("currentContext") if isinstance(document, dict) else None
        return found if isinstance(found, str) else ""

    @property
    def is_unfinished(self) -> bool:
        """Whether somebody writes contexts now, or was killed at it: `writing` puts that right."""
        return os.path.lexists(self.staging)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Become the only machinectl that writes contexts here; what a killed one left is put right first.

        Raises ContextError.
        """
        import fcntl

        with self.translated():
            self.check_home()
            for directory in (self.config, self.root, *(os.path.join(self.root, kind) for kind in KINDS)):
                make(directory)
                self.check_ours(directory)
            descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with self.translated():
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self.put_right()
            yield
        finally:
            os.close(descriptor)

    def put(self, context: Context) -> None:
        """Have a context there, whole; `writing` must be entered. Raises ContextError, and then all is as it was."""
        document = json.dumps(context.document).encode()
        meta = self.place("meta", context.name)
        with self.translated():
            if os.path.isdir(meta) and self.read_tls(context.name) == context.tls:
                replace_file(os.path.join(meta, META_FILE), document)
                return
            try:
                self.stage(context, document)
                self.exchange(context.name)
            finally:
                self.put_right()

    def remove(self, name: str) -> None:
        """Have a context there no longer; `writing` must be entered. Raises ContextError."""
        with self.translated():
            try:
                self.exchange(name)
            finally:
                self.put_right()

    def stage(self, context: Context, document: bytes) -> None:
        """Write a whole context where docker does not look, its metadata last."""
        name = context.name
        make(self.staged("new", "tls", name))
        for endpoint, files in context.tls.items():
            directory = os.path.join(self.staged("new", "tls", name), endpoint)
            make(directory)
            for file, data in files.items():
                write_new(os.path.join(directory, file), data)
        meta = self.staged("new", "meta", name)
        make(meta)
        write_new(os.path.join(meta, META_FILE), document)

    def exchange(self, name: str) -> None:
        """Take away what there is of a context, and put what is staged into its place.

        Without its metadata docker does not know it: that goes first and comes last, so that it is there whole or not.
        The files are on disk by then. Whether the renames outlast a power cut is not waited for: `context sync` mends
        what they were to bring.
        """
        for kind in reversed(KINDS):
            move(self.place(kind, name), self.staged("old", kind, name))
        for kind in KINDS:
            move(self.staged("new", kind, name), self.place(kind, name))
        self.throw_away("old")

    def put_right(self) -> None:
        """Finish an exchange that has put something into place, undo any other; forget what was staged."""
        if not self.is_unfinished:
            return
        new, old = (os.path.join(self.staging, age) for age in ("new", "old"))
        for each in listed(os.path.join(new, "meta")):
            if not os.path.lexists(os.path.join(new, "tls", each)):
                move(os.path.join(new, "meta", each), os.path.join(self.root, "meta", each))
        for each in listed(os.path.join(old, "meta")):
            for kind in KINDS:
                move(os.path.join(old, kind, each), os.path.join(self.root, kind, each))
        for age in ("new", "old"):
            self.throw_away(age)
        remove_tree(self.staging)

    def throw_away(self, age: str) -> None:
        """Remove what is staged, in one step: what is left of it by a kill is never taken for the whole."""
        gone = os.path.join(self.staging, "gone")
        remove_tree(gone)
        move(os.path.join(self.staging, age), gone)
        remove_tree(gone)

    def staged(self, age: str, kind: str, name: str) -> str:
        """Where a context's `meta` or `tls` is on its way in (`new`) or out (`old`)."""
        return os.path.join(self.staging, age, kind, os.path.basename(self.place(kind, name)))

    def check_home(self) -> None:
        """Refuse to make docker's directory where another user could replace it, or in another user's home.

        Root is refused there too: sudo may keep HOME, and the user could not use files that root makes.
        """
        if exposed := exposed_above(self.config):
            raise no_place(exposed)
        above = self.config
        while not os.path.lexists(above):
            above = os.path.dirname(above)
        if os.name != "nt" and os.stat(above).st_uid not in {0, os.geteuid()}:
            raise no_place(Exposed(above, FOREIGN))

    def check_ours(self, directory: str) -> None:
        """Refuse to keep keys where another user could change them, or would find what he cannot change himself."""
        foreign = os.name != "nt" and os.stat(directory).st_uid != os.geteuid()
        if why := FOREIGN if foreign else other_writer(directory):
            raise no_place(Exposed(directory, why))

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Say what the operating system's refusal to write contexts means, and what to do."""
        try:
            yield
        except MachineError as exc:
            if isinstance(exc, ContextError) or not isinstance(exc.__cause__, OSError):
                raise
            raise self.refused(exc.__cause__) from exc
        except OSError as exc:
            raise self.refused(exc) from exc

    def refused(self, why: OSError) -> ContextError:
        hint = "Keep docker's contexts where you may write: export DOCKER_CONFIG=<DIR>"
        if why.errno in {errno.ENOSPC, errno.EDQUOT}:
            hint = f"Make room on the disk that holds it: df -h {quoted(self.config)}"
        return ContextError(f"Cannot write docker's contexts in {self.config}: {why.strerror or why}", hint)


def no_place(exposed: Exposed) -> ContextError:
    return ContextError(
        f"{exposed.path} is not safe for keys: {exposed.why}",
        exposed.hint("keep docker's contexts elsewhere: export DOCKER_CONFIG=<DIR>"),
    )


def make(directory: str) -> None:
    """Have a directory, and those that it is in; each that is made is for its owner alone."""
    if os.path.isdir(directory):
        return
    make(os.path.dirname(directory))
    try:
        os.mkdir(directory, PRIVATE_DIRECTORY)
    except FileExistsError as exc:
        # Another process was faster, or it is a file.
        if not os.path.isdir(directory):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), directory) from exc


def move(path: str, target: str) -> None:
    """Give what is at a path, if anything, another place, unless that is taken."""
    if os.path.lexists(path) and not os.path.lexists(target):
        make(os.path.dirname(target))
        os.rename(path, target)


def listed(directory: str) -> list[str]:
    """The names in a directory that docker would not pass over; none where it is not there."""
    try:
        return [name for name in os.listdir(directory) if not name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
