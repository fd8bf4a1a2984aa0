"""docker's contexts: the engines that its CLI knows by name.

Format: docker/cli, cli/context/store (doc.go, metadatastore.go, tlsstore.go). ID is the name's SHA-256.

DOCKER_CONFIG/contexts/meta/ID/meta.json  name, metadata, endpoints
DOCKER_CONFIG/contexts/tls/ID/docker/     ca.pem, cert.pem, key.pem
DOCKER_CONFIG/contexts/.machinectl/       see `context_exchange`
DOCKER_CONFIG/config.json                 the current context
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.docker_cli.context_exchange import (
    META_FILE,
    ContextError,
    ContextExchange,
    context_errors,
    context_place,
    list_directory,
    only_writer,
)
from machinectl.docker_cli.docker_directory import docker_directory
from machinectl.errors import Hint
from machinectl.files.atomic import quote_word, read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# cli/context/store/store.go: restrictedNamePattern, and the name for no context.
DEFAULT = "default"
FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
CHARACTERS = FIRST | frozenset("_.+-")
SHORTEST_NAME = 2
# cli/context/docker/constants.go
ENDPOINT = "docker"
KEYS = {"name": "Name", "metadata": "Metadata", "endpoints": "Endpoints"}
# The key of our mark in the metadata: docker keeps unknown keys.
MARK = "machinectl"


class Mark(NamedTuple):
    """The store's real path and the machine, or a swarm's context and ID."""

    store: str
    machine: str
    swarm: str = ""

    def dump(self) -> dict[str, str]:
        return {key: value for key, value in self._asdict().items() if value}


class Current(NamedTuple):
    """`by` is a variable, config.json, or "" (default)."""

    name: str
    by: str = ""


@dataclass(frozen=True)
class Context:
    """`document` is meta.json; `tls` has files by endpoint and name."""

    name: str
    document: Mapping[str, Any] = field(default_factory=dict)
    tls: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)

    @property
    def metadata(self) -> dict[str, Any]:
        return json_object(self.document, "Metadata")

    @property
    def endpoints(self) -> dict[str, Any]:
        return json_object(self.document, "Endpoints")

    @property
    def host(self) -> str:
        return str(json_object(self.endpoints, ENDPOINT).get("Host") or "")

    @property
    def skips_verification(self) -> bool:
        """Whether docker accepts any certificate of the engine."""
        return bool(json_object(self.endpoints, ENDPOINT).get("SkipTLSVerify"))

    @property
    def files(self) -> dict[str, bytes]:
        return dict(self.tls.get(ENDPOINT, {}))

    @property
    def mark(self) -> Mark | None:
        """Ignore another name's mark, which `docker context create --from` and `import` copy."""
        found = self.metadata.get(MARK)
        if not isinstance(found, dict) or found.get("machine") != self.name or not isinstance(found.get("store"), str):
            return None
        return Mark(found["store"], self.name, str(found.get("swarm") or ""))

    def pointed(self, mark: Mark, host: str, files: Mapping[str, bytes]) -> Context:
        described = {} if self.document else {"Description": "Kept by machinectl"}
        metadata = {**described, **self.metadata, MARK: mark.dump()}
        endpoint = {**json_object(self.endpoints, ENDPOINT), "Host": host, "SkipTLSVerify": False}
        endpoints = {**self.endpoints, ENDPOINT: endpoint}
        others = {key: value for key, value in self.document.items() if key not in {"Name", "Metadata", "Endpoints"}}
        document = {"Name": self.name, "Metadata": metadata, "Endpoints": endpoints, **others}
        tls = {endpoint: found for endpoint, found in self.tls.items() if endpoint != ENDPOINT}
        return Context(self.name, document, {**tls, ENDPOINT: dict(files)} if files else tls)


def json_object(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def invalid_name_reason(name: str) -> str:
    """Return why docker refuses a name, or ""."""
    if name == DEFAULT:
        return f'docker keeps the name "{DEFAULT}" for itself'
    if len(name) < SHORTEST_NAME:
        return f"docker takes no name of {'one letter' if name else 'no letters'} for a context"
    if name[0] not in FIRST or not CHARACTERS.issuperset(name):
        return f"docker does not take {name!r} as the name of a context"
    return ""


class Contexts:
    """One DOCKER_CONFIG. Reading takes no lock."""

    def __init__(self, config: str = "") -> None:
        self.config = os.path.abspath(config) if config else docker_directory(os.environ)
        self.root = os.path.join(self.config, "contexts")
        self._exchange = ContextExchange(self.root)
        self.staging = self._exchange.staging

    def place(self, kind: str, name: str) -> str:
        return context_place(self.root, kind, name)

    def names(self) -> list[str]:
        try:
            ids = os.listdir(os.path.join(self.root, "meta"))
        except OSError:
            return []
        found = []
        for each in ids:
            try:
                name = read_meta(os.path.join(self.root, "meta", each, META_FILE)).get("Name")
            except ContextError:
                continue
            # docker finds a context by its name: ignore names in the wrong directory.
            if isinstance(name, str) and self.place("meta", name) == os.path.join(self.root, "meta", each):
                found.append(name)
        return found

    def read(self, name: str) -> Context | None:
        """Raise ContextError if unreadable."""
        path = os.path.join(self.place("meta", name), META_FILE)
        if not os.path.lexists(path):
            return None
        return Context(name, read_meta(path), read_tls(self.place("tls", name)))

    def current(self, environment: Mapping[str, str]) -> Current:
        """It may not exist (cli/command/cli.go: resolveContextName)."""
        if environment.get("DOCKER_HOST"):
            return Current(DEFAULT, "DOCKER_HOST")
        if name := environment.get("DOCKER_CONTEXT"):
            return Current(name, "DOCKER_CONTEXT")
        name = self.chosen()
        return Current(name, "config.json") if name else Current(DEFAULT)

    def chosen(self) -> str:
        """Return the choice of `docker context use`, or ""."""
        try:
            document = json.loads(read_file(os.path.join(self.config, "config.json")))
        except (OSError, ValueError, RecursionError):
            return ""
        found = document.get("currentContext") if isinstance(document, dict) else None
        return found if isinstance(found, str) else ""

    @property
    def is_unfinished(self) -> bool:
        """Whether a machinectl is writing or was killed; `writing` recovers."""
        return self._exchange.is_unfinished

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Lock and recover. Raises ContextError."""
        with only_writer(self.config, self.root):
            with context_errors(self.config):
                self._exchange.recover()
            yield

    def put(self, context: Context) -> None:
        """Write all or nothing, inside `writing`. Raises ContextError."""
        document = json.dumps(context.document).encode()
        meta = self.place("meta", context.name)
        with context_errors(self.config):
            try:
                before = self.read(context.name) or Context(context.name)
                changed = changed_files(before.tls, context.tls)
                if os.path.isdir(meta) and not changed:
                    replace_file(os.path.join(meta, META_FILE), document)
                    return
                if len(changed) == 1 and before.document == context.document:
                    # A certificate was renewed: docker finds the context all the while.
                    [(endpoint, file)] = changed
                    self._exchange.replace(context.name, endpoint, file, context.tls[endpoint][file])
                    return
                self._exchange.stage(context.name, document, context.tls)
                self._exchange.exchange(context.name)
            finally:
                self._exchange.recover()

    def remove(self, name: str) -> None:
        """Enter `writing` first. Raises ContextError."""
        with context_errors(self.config):
            try:
                self._exchange.exchange(name)
            finally:
                self._exchange.recover()


def read_meta(path: str) -> dict[str, Any]:
    try:
        document = json.loads(read_file(path))
    except OSError as exc:
        raise ContextError(f"{path} cannot be read: {exc.strerror}", Hint("See", "ls -l", path)) from exc
    except (ValueError, RecursionError) as exc:
        raise ContextError(f"{path} is not JSON", Hint(f"See what it holds, or remove it: {quote_word(path)}")) from exc
    if not isinstance(document, dict):
        raise ContextError(f"{path} is not a context", Hint(f"See what it holds, or remove it: {quote_word(path)}"))
    # encoding/json accepts the keys of structures in any case.
    return {KEYS.get(str(key).lower(), str(key)): value for key, value in document.items()}


def changed_files(
    before: Mapping[str, Mapping[str, bytes]], after: Mapping[str, Mapping[str, bytes]]
) -> list[tuple[str, str]]:
    """Return the files to replace, as pairs of endpoint and name; all if there are others than before."""
    pairs, old = ([(one, file) for one, files in tls.items() for file in files] for tls in (after, before))
    if set(pairs) != set(old):
        return pairs + old
    return [(endpoint, file) for endpoint, file in pairs if before[endpoint][file] != after[endpoint][file]]


def read_tls(directory: str) -> dict[str, dict[str, bytes]]:
    """Raise ContextError if unreadable."""
    found: dict[str, dict[str, bytes]] = {}
    try:
        for endpoint in list_directory(directory):
            path = os.path.join(directory, endpoint)
            if os.path.isdir(path):
                names = [file for file in list_directory(path) if not os.path.isdir(os.path.join(path, file))]
                found[endpoint] = {file: read_file(os.path.join(path, file)) for file in names}
    except OSError as exc:
        raise ContextError(
            f"{exc.filename or directory} cannot be read: {exc.strerror}", Hint("See", "ls -lR", directory)
        ) from exc
    return found
