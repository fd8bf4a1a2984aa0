"""Join a fleet file and its included files."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field

from machinectl.errors import closest_match
from machinectl.files.atomic import read_file
from machinectl.fleet.fleet_keys import DEFAULTS, FLEET, FREE, GROUPS, HOSTS, INCLUDE, PARTS
from machinectl.fleet.reading.layers import is_null
from machinectl.fleet.syntax.document import MOST_NODES, Listed, MapEntry, Mapped, Node, Scalar, read_mapping
from machinectl.fleet.syntax.faults import Faults, Place, file_error
from machinectl.fleet.syntax.yaml_errors import LONGEST_FILE

# Parts that several files may have.
SHARED = (DEFAULTS, GROUPS, HOSTS)
MOST_FILES = 1000
DEEPEST = 20
# Only these: errors quote fleet files, and other files may hold secrets.
SUFFIXES = (".yaml", ".yml")


def with_includes(root: Mapped, name: str, faults: Faults) -> Mapped:
    """Join included files; `name` is the user's name for the file.

    Adds errors. Raises WrongFile if a file is not YAML.
    """
    if INCLUDE not in root.entries:
        return root
    join = Join(faults)
    join.add(root)
    join.follow(root, [IncludedFile(name, os.path.realpath(name))])
    return Mapped(
        root.place, {**root.entries, **{name: MapEntry(part.place, part) for name, part in join.parts.items()}}
    )


@dataclass(frozen=True)
class IncludedFile:
    name: str
    path: str


@dataclass
class Join:
    faults: Faults
    parts: dict[str, Mapped] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    size: int = 0

    def add(self, root: Mapped) -> None:
        """Add parts; a duplicate key is an error."""
        self.size += root.size
        for part in SHARED:
            entry = root.entries.get(part)
            if entry is None or is_null(entry.value):
                continue
            if not isinstance(entry.value, Mapped):
                self.faults.add(entry.value.place, f"{part} needs lines KEY: VALUE, this is {entry.value.name}")
                continue
            there = self.parts.setdefault(part, Mapped(entry.value.place))
            for key, each in entry.value.entries.items():
                if before := there.entries.get(key):
                    self.faults.twice(each.place, key, before.place)
                else:
                    there.entries[key] = each

    def follow(self, root: Mapped, chain: list[IncludedFile]) -> None:
        """Add the files that the last file of `chain` includes."""
        entry = root.entries.get(INCLUDE)
        if entry is None or is_null(entry.value):
            return
        for node in entry.value.items if isinstance(entry.value, Listed) else [entry.value]:
            if file := self.named(node, chain):
                self.include(file, node.place, chain)

    def named(self, node: Node, chain: list[IncludedFile]) -> IncludedFile | None:
        """Return a file, None after an error or if already read."""
        if not isinstance(node, Scalar) or node.is_null or not node.text:
            self.faults.add(node.place, f"{INCLUDE} is a list of files, this is {node.name}")
            return None
        if "${" in node.text or not node.text.endswith(SUFFIXES):
            self.faults.add(node.place, f"{INCLUDE}: {node.text!r} is not a file named *.yaml or *.yml")
            return None
        name = os.path.normpath(os.path.join(os.path.dirname(chain[-1].name), os.path.expanduser(node.text)))
        path = os.path.realpath(name)
        paths = [each.path for each in chain]
        if path in paths:
            loop = [*(each.name for each in chain[paths.index(path) :]), name]
            self.faults.add(node.place, f"{INCLUDE}: the files include each other: {' -> '.join(loop)}")
            return None
        if len(chain) > DEEPEST:
            self.faults.add(node.place, f"{INCLUDE}: files include each other more than {DEEPEST} levels deep")
            return None
        return None if path in self.read else IncludedFile(name, path)

    def include(self, file: IncludedFile, place: Place, chain: list[IncludedFile]) -> None:
        self.read.add(file.path)
        try:
            data = read_file(file.name, LONGEST_FILE)
        except FileNotFoundError:
            near = os.path.basename(similar_file(file.name))
            meant = f": did you mean {near}?" if near else ""
            self.faults.add(place, f"{INCLUDE}: there is no file {file.name}{meant}")
            return
        except (OSError, ValueError) as exc:
            self.faults.add(place, f"{INCLUDE}: {file.name} cannot be read: {file_error(exc)}")
            return
        root = read_mapping(data, self.faults, file.name)
        if len(self.read) > MOST_FILES or self.size + root.size > MOST_NODES:
            self.faults.add(place, f"{INCLUDE}: more than {MOST_FILES} files, or {MOST_NODES} values")
            return
        for name, entry in root.entries.items():
            if name == FLEET:
                self.faults.add(entry.place, f"{FLEET}: only the file that includes this one can name the fleet")
            elif name not in PARTS and not name.startswith(FREE):
                self.faults.unknown(entry.place, name, PARTS, "part of a fleet file")
        self.add(root)
        self.follow(root, [*chain, file])


def similar_file(path: str) -> str:
    """Return a YAML file with a similar name, else ""."""
    directory, name = os.path.split(path)
    with suppress(OSError, ValueError):
        stems = {os.path.splitext(each)[0]: each for each in os.listdir(directory or ".") if each.endswith(SUFFIXES)}
        if near := closest_match(os.path.splitext(name)[0], stems):
            return os.path.join(directory, stems[near])
    return ""
