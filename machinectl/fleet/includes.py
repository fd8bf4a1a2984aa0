"""Join a fleet file and its included files."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import yaml

from machinectl.errors import closest_match
from machinectl.files.atomic import read_file
from machinectl.files.new_file import file_error
from machinectl.fleet.fleet_keys import DEFAULTS, FLEET, GROUPS, HOSTS, INCLUDE
from machinectl.fleet.yaml_nodes import (
    LONGEST_FILE,
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
# Only these: errors quote fleet files, and other files may hold secrets.
SUFFIXES = (".yaml", ".yml")


def with_includes(root: yaml.MappingNode, name: str, faults: Faults) -> Entries:
    """Return the parts of a file and of those that it includes, each once; `name` is the user's name for the file.

    Adds errors. Raises WrongFile if a file is not YAML.
    """
    parts = dict(entries_of(root))
    if INCLUDE not in parts:
        return parts
    join = Join(faults)
    files = {os.path.realpath(name)}
    pending = join.add(root, name)
    while pending:
        file, at = pending.pop(0)
        if os.path.realpath(file) in files:
            continue
        files.add(os.path.realpath(file))
        if included := join.read(file, at):
            pending = [*join.add(included, file), *pending]
        if len(files) > MOST_FILES:
            faults.add(at, f"{INCLUDE}: more than {MOST_FILES} files")
            break
    return {**parts, **join.parts}


class Join:
    """`parts` have the entries of all files, at the place of the first file that has the part."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.parts: Entries = {}

    def add(self, root: yaml.MappingNode, file: str) -> list[tuple[str, Place]]:
        """Add a file's parts, a duplicate key as an error; return the files that it includes."""
        for part, entry in entries_of(root).items():
            if part not in SHARED:
                self.parts.setdefault(part, entry)
                continue
            if is_null(entry.value):
                continue
            if not isinstance(entry.value, yaml.MappingNode):
                self.faults.add(place(entry.value), f"{part} needs lines KEY: VALUE, this is {kind_of(entry.value)}")
                continue
            joined = entries_of(self.parts.setdefault(part, MapEntry(entry.key, made_mapping({}, entry.value))).value)
            for key, added in entries_of(entry.value).items():
                before = joined.setdefault(key, added)
                if before is not added:
                    self.faults.twice(place(added.key), key, place(before.key))
        include = entries_of(root).get(INCLUDE)
        nodes = items_of(include.value) if include and not is_null(include.value) else []
        return [(name, place(node)) for node in nodes if (name := self.named(node, file))]

    def named(self, node: Node, file: str) -> str:
        """Return a file that another names, "" after an error."""
        if not isinstance(node, yaml.ScalarNode) or is_null(node) or not node.value:
            self.faults.add(place(node), f"{INCLUDE} is a list of files, this is {kind_of(node)}")
            return ""
        if "${" in node.value or not node.value.endswith(SUFFIXES):
            self.faults.add(place(node), f"{INCLUDE}: {node.value!r} is not a file named *.yaml or *.yml")
            return ""
        return os.path.normpath(os.path.join(os.path.dirname(file), os.path.expanduser(node.value)))

    def read(self, file: str, at: Place) -> yaml.MappingNode | None:
        """Return None after an error."""
        try:
            data = read_file(file, LONGEST_FILE)
        except (OSError, ValueError) as exc:
            near = os.path.basename(similar_file(file)) if isinstance(exc, FileNotFoundError) else ""
            meant = f": did you mean {near}?" if near else ""
            self.faults.add(at, f"{INCLUDE}: {file} cannot be read: {file_error(exc)}{meant}")
            return None
        root = read_mapping(data, self.faults, file)
        if name := entries_of(root).pop(FLEET, None):
            self.faults.add(place(name.key), f"{FLEET}: only the file that includes this one can name the fleet")
        return root


def similar_file(path: str) -> str:
    """Return a YAML file with a similar name, else ""."""
    directory, name = os.path.split(path)
    with suppress(OSError, ValueError):
        stems = {os.path.splitext(file)[0]: file for file in os.listdir(directory or ".") if file.endswith(SUFFIXES)}
        if near := closest_match(os.path.splitext(name)[0], stems):
            return os.path.join(directory, stems[near])
    return ""
