"""docker's contexts with their metadata and certificates. For the format see `engine.docker_context`."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.docker_cli.context_exchange import ContextExchange, context_errors, only_writer, visible_names
from machinectl.engine.docker_context import (
    DEFAULT,
    ENDPOINT,
    META_FILE,
    ContextError,
    context_place,
    docker_directory,
    read_meta,
)
from machinectl.errors import Hint
from machinectl.files.atomic import read_file, replace_file
from machinectl.json_values import as_dict, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# cli/context/store/store.go: restrictedNamePattern.
FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
CHARACTERS = FIRST | frozenset("_.+-")
SHORTEST_NAME = 2
# The key of our mark in the metadata: docker keeps unknown keys.
MARK = "machinectl"


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
        self._exchange = ContextExchange(self.config)
        self.staging = self._exchange.staging

    def place(self, kind: str, name: str) -> str:
        return context_place(self.config, kind, name)

    def names(self) -> list[str]:
        directory = os.path.join(self.config, "contexts", "meta")
        try:
            ids = os.listdir(directory)
        except OSError:
            return []
        names = []
        for identifier in ids:
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

    @property
    def is_unfinished(self) -> bool:
        """Whether a machinectl is writing or was killed; `writing` recovers."""
        return os.path.lexists(self.staging)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Lock and recover. Raises ContextError."""
        with only_writer(self.config):
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
                elif len(changed) == 1 and before.document == context.document:
                    # A certificate was renewed: docker finds the context all the while.
                    [(endpoint, file)] = changed
                    self._exchange.replace(context.name, endpoint, file, context.tls[endpoint][file])
                else:
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


def changed_files(
    before: Mapping[str, Mapping[str, bytes]], after: Mapping[str, Mapping[str, bytes]]
) -> list[tuple[str, str]]:
    """Return the files to replace, as pairs of endpoint and name; all if there are others than before."""
    pairs, old = ([(endpoint, file) for endpoint in tls for file in tls[endpoint]] for tls in (after, before))
    if set(pairs) != set(old):
        return pairs + old
    return [(endpoint, file) for endpoint, file in pairs if before[endpoint][file] != after[endpoint][file]]


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
