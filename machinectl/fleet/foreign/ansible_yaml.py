"""Ansible inventories in YAML, and variable files beside them.

Formats: https://docs.ansible.com/ansible/latest/collections/ansible/builtin/yaml_inventory.html,
https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html#organizing-host-and-group-variables
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.fleet.foreign.ansible_groups import VAULT, Inventory, Variable, of_login
from machinectl.fleet.foreign.sources import Notes, Spot, WrongSource, contents
from machinectl.fleet.syntax.document import Listed, Mapped, Node, Scalar, read_tree
from machinectl.fleet.syntax.faults import Faults, Place
from machinectl.fleet.syntax.yaml_errors import NotADocument
from machinectl.ranges import InvalidRange, expand_hosts

if TYPE_CHECKING:
    from collections.abc import Iterator


# A group's keys.
# More files for a group are a mistake.
MOST_FILES = 1000
# In Ansible's order (its plugin host_group_vars).
ENDINGS = ("", ".yml", ".yaml", ".json")
BY_ANSIBLE = "Let Ansible print it, and import that: ansible-inventory -i <FILE> --list --yaml"


# Keys of files whose hosts only another program knows.
ELSEWHERE = {
    "plugin": "a plugin of Ansible finds the hosts of this file",
    "_meta": "this is the output of an inventory script",
}


def tree(text: str, path: str) -> Node | None:
    """Return None for an empty file. Raises WrongSource."""
    try:
        # Only Ansible needs tags.
        return read_tree(text, Faults(path), any_tag=True)
    except NotADocument as wrong:
        raise WrongSource(Spot(path, wrong.place.line), wrong.unquoted) from wrong


def parse_yaml(text: str, path: str) -> Inventory:
    """Parse an inventory. Raises WrongSource for the first error."""
    inventory = Inventory(Spot(path))
    root = tree(text, path)
    if root is None or is_nothing(root):
        return inventory
    found = mapping(root, path, "an inventory")
    for key, what in ELSEWHERE.items():
        if key in found.entries:
            raise WrongSource(spot_of(found.entries[key].place, path), what, BY_ANSIBLE)
    YamlReader(inventory, path).groups(found)
    return inventory


class YamlReader:
    def __init__(self, inventory: Inventory, path: str) -> None:
        self.inventory = inventory
        self.path = path

    def groups(self, root: Mapped) -> None:
        # Files may be deep: no recursion.
        left: list[tuple[str, Place, Node, str]] = [
            (name, entry.place, entry.value, "") for name, entry in root.entries.items()
        ]
        while left:
            name, place, node, parent = left.pop(0)
            group = self.inventory.group(name, spot_of(place, self.path))
            if parent:
                self.inventory.groups[parent].children.setdefault(name, spot_of(place, self.path))
            if is_nothing(node):
                continue
            parts = mapping(node, self.path, f"the group {name}").entries
            for host, spot, variables in self.hosts(parts["hosts"].value) if "hosts" in parts else ():
                self.inventory.host(host, spot, name).variables.update(variables)
            if "vars" in parts:
                group.variables.update(variables_of(parts["vars"].value, self.path))
            if "children" in parts and not is_nothing(parts["children"].value):
                children = mapping(parts["children"].value, self.path, f"the children of {name}").entries
                left += [(child, entry.place, entry.value, name) for child, entry in children.items()]

    def hosts(self, node: Node) -> Iterator[tuple[str, Spot, dict[str, Variable]]]:
        if is_nothing(node):
            return
        for pattern, entry in mapping(node, self.path, "hosts").entries.items():
            spot = spot_of(entry.place, self.path)
            try:
                names, port = expand_hosts(pattern)
            except InvalidRange as exc:
                raise WrongSource(spot, f"this is not a host: {exc}") from exc
            variables = {"ansible_port": Variable(port, spot)} if port else {}
            variables.update(variables_of(entry.value, self.path))
            for name in names:
                yield name, spot, variables


def variables_of(node: Node, path: str) -> dict[str, Variable]:
    """Return Ansible's own variables, if they are texts."""
    if is_nothing(node):
        return {}
    found = {
        name: Variable(entry.value.text, spot_of(entry.place, path))
        for name, entry in mapping(node, path, "variables").entries.items()
        if isinstance(entry.value, Scalar) and not entry.value.is_null
    }
    return of_login(found)


def add_files_beside(inventory: Inventory, directory: str, notes: Notes) -> None:
    """Read `group_vars` and `host_vars`. Raises WrongSource."""
    for kind, known in (("group_vars", inventory.groups), ("host_vars", inventory.hosts)):
        place = os.path.join(directory, kind)
        if not os.path.isdir(place):
            continue
        for name, each in known.items():
            # A third-party inventory must not lead out of the directory.
            if os.path.basename(name) != name or name in {os.curdir, os.pardir}:
                continue
            for path in files_of(os.path.join(place, name)):
                each.further.update(in_file(path, notes))


def files_of(base: str) -> list[str]:
    """Return the first variable file, or all in the directory."""
    for ending in ENDINGS:
        path = f"{base}{ending}"
        if os.path.isdir(path) and not ending:
            found = sorted(itertools.islice(files_beneath(path), MOST_FILES + 1))
            if len(found) > MOST_FILES:
                raise WrongSource(Spot(path), f"more than {MOST_FILES} files with variables")
            return found
        if os.path.isfile(path):
            return [path]
    return []


def files_beneath(directory: str) -> Iterator[str]:
    for where, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and not name.endswith("~") and os.path.splitext(name)[1] in ENDINGS:
                yield os.path.join(where, name)


def in_file(path: str, notes: Notes) -> dict[str, Variable]:
    try:
        text = contents(path)
    except WrongSource:
        raise
    except MachineError as exc:
        notes.add(Spot(path), exc.cause)
        return {}
    if text.startswith(VAULT):
        notes.add(Spot(path), "skipped: it is in Ansible's vault")
        return {}
    root = tree(text, path)
    return {} if root is None else variables_of(root, path)


def is_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def spot_of(place: Place, path: str) -> Spot:
    return Spot(path, place.line)


def mapping(node: Node, path: str, what: str) -> Mapped:
    """Raise WrongSource unless the node is a mapping."""
    if isinstance(node, Mapped):
        return node
    like = ": write NAME: instead of - NAME" if isinstance(node, Listed) else ""
    raise WrongSource(spot_of(node.place, path), f"{what} is a mapping, this is {node.name}{like}")
