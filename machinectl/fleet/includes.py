"""Join a fleet file and its included files."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from machinectl.errors import closest_match
from machinectl.files.atomic import read_file
from machinectl.files.new_file import file_error
from machinectl.fleet.fleet_keys import DEFAULTS, FLEET, FREE, GROUPS, HOSTS, INCLUDE, PARTS
from machinectl.fleet.host_ranges import size_of
from machinectl.fleet.yaml_errors import LONGEST_FILE
from machinectl.fleet.yaml_nodes import (
    MOST_NODES,
    MapEntry,
    entries_of,
    is_null,
    items_of,
    kind_of,
    made_mapping,
    place,
    read_mapping,
)

if TYPE_CHECKING:
    from machinectl.fleet.file_errors import Faults, Place
    from machinectl.fleet.yaml_nodes import Entries, Node

# Parts that several files may have.
SHARED = (DEFAULTS, GROUPS, HOSTS)
MOST_FILES = 1000
DEEPEST = 20
# Only these: errors quote fleet files, and other files may hold secrets.
SUFFIXES = (".yaml", ".yml")


def with_includes(root: yaml.MappingNode, name: str, faults: Faults) -> Entries:
    """Return the parts of a file and of those that it includes; `name` is the user's name for the file.

    Adds errors. Raises WrongFile if a file is not YAML.
    """
    parts = entries_of(root)
    if INCLUDE not in parts:
        return parts
    join = Join(faults)
    join.add(root)
    join.follow(root, [IncludedFile(name, os.path.realpath(name))])
    return {
        **parts,
        **{
            part: MapEntry(entry.key, made_mapping(join.parts[part], entry.value)) for part, entry in join.first.items()
        },
    }


@dataclass(frozen=True)
class IncludedFile:
    name: str
    path: str


@dataclass
class Join:
    """`first` has each part as it is in the first file that has it, `parts` the entries of all files."""

    faults: Faults
    first: Entries = field(default_factory=dict)
    parts: dict[str, Entries] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    size: int = 0

    def add(self, root: yaml.MappingNode) -> None:
        """Add parts; a duplicate key is an error."""
        self.size += size_of(root)
        for part in SHARED:
            entry = entries_of(root).get(part)
            if entry is None or is_null(entry.value):
                continue
            if not isinstance(entry.value, yaml.MappingNode):
                self.faults.add(place(entry.value), f"{part} needs lines KEY: VALUE, this is {kind_of(entry.value)}")
                continue
            self.first.setdefault(part, entry)
            joined = self.parts.setdefault(part, {})
            for key, each in entries_of(entry.value).items():
                if before := joined.get(key):
                    self.faults.twice(place(each.key), key, place(before.key))
                else:
                    joined[key] = each

    def follow(self, root: yaml.MappingNode, chain: list[IncludedFile]) -> None:
        """Add the files that the last file of `chain` includes."""
        entry = entries_of(root).get(INCLUDE)
        for node in items_of(entry.value) if entry and not is_null(entry.value) else ():
            if file := self.named(node, chain):
                self.include(file, place(node), chain)

    def named(self, node: Node, chain: list[IncludedFile]) -> IncludedFile | None:
        """Return a file, None after an error or if already read."""
        if not isinstance(node, yaml.ScalarNode) or is_null(node) or not node.value:
            self.faults.add(place(node), f"{INCLUDE} is a list of files, this is {kind_of(node)}")
            return None
        if "${" in node.value or not node.value.endswith(SUFFIXES):
            self.faults.add(place(node), f"{INCLUDE}: {node.value!r} is not a file named *.yaml or *.yml")
            return None
        name = os.path.normpath(os.path.join(os.path.dirname(chain[-1].name), os.path.expanduser(node.value)))
        path = os.path.realpath(name)
        paths = [each.path for each in chain]
        if path in paths:
            loop = [*(each.name for each in chain[paths.index(path) :]), name]
            self.faults.add(place(node), f"{INCLUDE}: the files include each other: {' -> '.join(loop)}")
            return None
        if len(chain) > DEEPEST:
            self.faults.add(place(node), f"{INCLUDE}: files include each other more than {DEEPEST} levels deep")
            return None
        return None if path in self.read else IncludedFile(name, path)

    def include(self, file: IncludedFile, at: Place, chain: list[IncludedFile]) -> None:
        self.read.add(file.path)
        try:
            data = read_file(file.name, LONGEST_FILE)
        except FileNotFoundError:
            near = os.path.basename(similar_file(file.name))
            meant = f": did you mean {near}?" if near else ""
            self.faults.add(at, f"{INCLUDE}: there is no file {file.name}{meant}")
            return
        except (OSError, ValueError) as exc:
            self.faults.add(at, f"{INCLUDE}: {file.name} cannot be read: {file_error(exc)}")
            return
        root = read_mapping(data, self.faults, file.name)
        if len(self.read) > MOST_FILES or self.size + size_of(root) > MOST_NODES:
            self.faults.add(at, f"{INCLUDE}: more than {MOST_FILES} files, or {MOST_NODES} values")
            return
        for name, entry in entries_of(root).items():
            if name == FLEET:
                self.faults.add(place(entry.key), f"{FLEET}: only the file that includes this one can name the fleet")
            elif name not in PARTS and not name.startswith(FREE):
                self.faults.unknown(place(entry.key), name, PARTS, "part of a fleet file")
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
