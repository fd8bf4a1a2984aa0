"""Ansible inventories in INI.

Format: https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ini_inventory.html
"""

from __future__ import annotations

import ast
import re
import shlex

from machinectl.fleet.foreign.ansible_groups import ALL, UNGROUPED, Inventory, Variable, of_login
from machinectl.fleet.foreign.sources import Spot, WrongSource
from machinectl.ranges import InvalidRange, expand_hosts

SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?")
GROUP_NAME = re.compile(r"([^\s:\[\]#]+)\s*(?:#.*)?")
COMMENT = ("#", ";")
NO_SECTION = "this is not a section: write [group], [group:children] or [group:vars]"
# Characters; longer values keep their quotes.
LONGEST_QUOTED = 4096


def parse_ini(text: str, path: str) -> Inventory:
    """Parse an inventory. Raises WrongSource for the first wrong line."""
    reader = IniReader(path)
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith(COMMENT):
            reader.take(stripped, Spot(path, number))
    reader.check()
    return reader.inventory


class IniReader:
    def __init__(self, path: str) -> None:
        self.inventory = Inventory(Spot(path))
        self.section, self.kind = UNGROUPED, "hosts"
        # Where undefined groups are used.
        self.owed: dict[str, tuple[Spot, str]] = {}
        self.made = {ALL, UNGROUPED}

    def take(self, line: str, spot: Spot) -> None:
        header = SECTION.fullmatch(line)
        if header:
            self.begin(header[1], header[2] or "hosts", spot)
        elif line.startswith("[") and line.endswith("]"):
            raise WrongSource(spot, NO_SECTION)
        elif self.kind == "hosts":
            self.hosts(line, spot)
        elif self.kind == "children":
            self.child(line, spot)
        else:
            self.variable(line, spot)

    def begin(self, name: str, kind: str, spot: Spot) -> None:
        if kind not in {"hosts", "children", "vars"}:
            raise WrongSource(spot, NO_SECTION)
        self.section, self.kind = name, kind
        self.inventory.group(name, spot)
        if kind == "vars":
            self.owed.setdefault(name, (spot, "this group is not defined"))
        else:
            self.made.add(name)

    def hosts(self, line: str, spot: Spot) -> None:
        try:
            pattern, *words = shlex.split(line, comments=True)
            names, port = expand_hosts(pattern)
        except (ValueError, InvalidRange) as exc:
            raise WrongSource(spot, f"this is not a host: {exc}") from exc
        found: dict[str, Variable] = {}
        if port:
            found["ansible_port"] = Variable(port, spot)
        for word in words:
            key, equals, value = word.partition("=")
            if not equals:
                raise WrongSource(spot, "a word after the host is not a variable: write NAME=VALUE")
            found[key] = Variable(python_text(value), spot)
        for name in names:
            if not name or any(letter.isspace() for letter in name):
                raise WrongSource(spot, "this is not a host name")
            self.inventory.host(name, spot, self.section).variables.update(of_login(found))

    def child(self, line: str, spot: Spot) -> None:
        name = GROUP_NAME.fullmatch(line)
        if not name:
            raise WrongSource(spot, "this is not a group name")
        self.inventory.group(name[1], spot)
        self.inventory.groups[self.section].children.setdefault(name[1], spot)
        self.owed.setdefault(name[1], (spot, "this group is not defined"))

    def variable(self, line: str, spot: Spot) -> None:
        key, equals, value = line.partition("=")
        if not equals:
            raise WrongSource(spot, "this is not a variable: write NAME=VALUE")
        found = {key.strip(): Variable(python_text(value.strip()), spot)}
        self.inventory.groups[self.section].variables.update(of_login(found))

    def check(self) -> None:
        """Raise WrongSource for an undefined group."""
        for name, (spot, why) in self.owed.items():
            if name not in self.made:
                raise WrongSource(spot, why)


def python_text(value: str) -> str:
    """Remove Python's quotes, as Ansible does."""
    if value[:1] not in {"'", '"'} or len(value) > LONGEST_QUOTED:
        return value
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
    return found if isinstance(found, str) else value
