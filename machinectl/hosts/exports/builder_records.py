"""Which buildx builders machinectl made: STORE/builders.json. It changes no other builder."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl.errors import MachineError
from machinectl.files.atomic import Translated, quote_word, read_file, replace_file
from machinectl.machines.store.lock import Lock
from machinectl.machines.store.store_directory import make_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store

FILE = "builders.json"
# Not a machine's lock: machine names begin with a letter or digit.
LOCK = ".builders"


@dataclass
class BuilderNode:
    """`name` is buildx's, `platform` the engine's."""

    name: str
    machine: str
    platform: str


@dataclass
class Builder:
    """`directory` is where buildx keeps it; `port` is buildkitd's, 0 for buildkitd in a container."""

    name: str
    directory: str
    port: int = 0
    nodes: list[BuilderNode] = field(default_factory=list)

    @property
    def driver(self) -> str:
        return "remote" if self.port else "docker-container"

    @property
    def machines(self) -> list[str]:
        return [node.machine for node in self.nodes]

    @property
    def builds(self) -> dict[str, str]:
        """Return the machine that buildx builds on, for each platform: the first one."""
        found: dict[str, str] = {}
        for node in self.nodes:
            found.setdefault(node.platform, node.machine)
        return found


def builders_path(store: Store) -> str:
    return os.path.join(store.root, FILE)


def read_builders(store: Store) -> dict[str, Builder]:
    """Raises MachineError."""
    path = builders_path(store)
    try:
        document = json.loads(read_file(path))
        return {str(name): parse_builder(str(name), each) for name, each in document.items()}
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise MachineError(f"{path} cannot be read: {exc.strerror}", f"See: ls -l {quote_word(path)}") from exc
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        hint = f"Move it away, and make the builders again: mv {quote_word(path)} {quote_word(f'{path}.old')}"
        raise MachineError(f"{path} is not a list of builders", hint) from exc


def parse_builder(name: str, document: dict[str, Any]) -> Builder:
    nodes = [BuilderNode(str(each["name"]), str(each["machine"]), str(each["platform"])) for each in document["nodes"]]
    return Builder(name, str(document["directory"]), int(document["port"]), nodes)


@contextmanager
def writing_builders(store: Store) -> Iterator[dict[str, Builder]]:
    """Lock the record. What has changed is written at the end, also of a failure."""
    make_directory(store, store.locks)
    with Lock(os.path.join(store.locks, LOCK)):
        builders = read_builders(store)
        try:
            yield builders
        finally:
            if builders != read_builders(store):
                save_builders(store, builders)


def save_builders(store: Store, builders: dict[str, Builder]) -> None:
    """Write the record now, inside `writing_builders`. Without builders there is none."""
    path = builders_path(store)
    if builders:
        replace_file(path, dump_builders(builders))
    else:
        with Translated(path):
            os.unlink(path)


def dump_builders(builders: dict[str, Builder]) -> bytes:
    found = {name: asdict(each) for name, each in builders.items()}
    return json.dumps(found, indent=1).encode()
