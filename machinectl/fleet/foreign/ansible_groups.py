"""Groups, hosts and SSH variables of an Ansible inventory.

Precedence: https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html#how-variables-are-merged
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

from machinectl.fleet.foreign.sources import ImportedHost, Notes, Spot, WrongSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


ALL, UNGROUPED = "all", "ungrouped"
PREFIX = "ansible_"
# The last one that is set wins, as in Ansible.
ADDRESS = ("ansible_host", "ansible_ssh_host")
PORT = ("ansible_port", "ansible_ssh_port")
USER = ("ansible_user", "ansible_ssh_user")
KEY = ("ansible_private_key_file", "ansible_ssh_private_key_file")
ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
CONNECTION = "ansible_connection"
PRIORITY = "ansible_group_priority"
TAKEN = frozenset({*ADDRESS, *PORT, *USER, *KEY, *ARGUMENTS, CONNECTION, PRIORITY})
OVER_SSH = frozenset({"", "ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh"})
SECRET = re.compile(r"pass(word|phrase)?$")
VAULT = "$ANSIBLE_VAULT"
TEMPLATE = re.compile(r"\{[{%#]")


class Variable(NamedTuple):
    value: str
    spot: Spot


@dataclass
class AnsibleHost:
    """`further` are variables from files beside the inventory."""

    name: str
    spot: Spot
    variables: dict[str, Variable] = field(default_factory=dict)
    further: dict[str, Variable] = field(default_factory=dict)


@dataclass
class AnsibleGroup(AnsibleHost):
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Spot] = field(default_factory=dict)


class Inventory:
    def __init__(self, spot: Spot) -> None:
        self.spot = spot
        self.groups: dict[str, AnsibleGroup] = {name: AnsibleGroup(name, spot) for name in (ALL, UNGROUPED)}
        self.hosts: dict[str, AnsibleHost] = {}

    def group(self, name: str, spot: Spot) -> AnsibleGroup:
        return self.groups.setdefault(name, AnsibleGroup(name, spot))

    def host(self, name: str, spot: Spot, group: str) -> AnsibleHost:
        self.groups[group].hosts[name] = None
        return self.hosts.setdefault(name, AnsibleHost(name, spot))

    def taken(self, notes: Notes) -> list[ImportedHost]:
        """Return hosts with SSH. Raises WrongSource if groups form a loop."""
        parents = self.parents()
        depths = self.depths(parents)
        of_hosts: dict[str, list[str]] = {}
        for group in self.groups.values():
            for name in group.hosts:
                of_hosts.setdefault(name, []).append(group.name)
        # Many hosts share groups.
        known: dict[tuple[str, ...], list[AnsibleGroup]] = {}
        found = []
        for host in self.hosts.values():
            own = tuple(of_hosts.get(host.name, ()))
            if own not in known:
                known[own] = self.groups_above(own, parents, depths)
            groups = known[own]
            variables = self.variables(host, groups)
            if foreign := imported_host(host, [group.name for group in groups], variables, notes):
                found.append(foreign)
        return found

    def parents(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {name: [] for name in self.groups}
        for group in self.groups.values():
            for child in group.children:
                found[child].append(group.name)
        return found

    def depths(self, parents: Mapping[str, list[str]]) -> dict[str, int]:
        above = {name: {*groups} - {ALL} for name, groups in parents.items() if name != ALL}
        depths = {ALL: 0}
        try:
            for name in TopologicalSorter(above).static_order():
                depths[name] = 1 + max(map(depths.__getitem__, above[name]), default=0)
        except CycleError as exc:
            name = min(exc.args[1])
            raise WrongSource(self.groups[name].spot, f"the group {name} contains itself") from exc
        return depths

    def groups_above(
        self, names: Iterable[str], parents: Mapping[str, list[str]], depths: Mapping[str, int]
    ) -> list[AnsibleGroup]:
        """Return groups and their parents; later ones win."""
        open_ones = [*names]
        found = {ALL}
        while open_ones:
            name = open_ones.pop()
            if name not in found:
                found.add(name)
                open_ones += parents[name]

        def rank(name: str) -> tuple[int, int, str]:
            # Ansible ignores it in files beside the inventory.
            given = self.groups[name].variables.get(PRIORITY)
            priority = int(given.value) if given and re.fullmatch(r"-?[0-9]{1,9}", given.value) else 1
            return depths[name], priority, name

        return [self.groups[name] for name in sorted(found, key=rank)]

    def variables(self, host: AnsibleHost, groups: list[AnsibleGroup]) -> dict[str, Variable]:
        """Merge variables of groups in the file, of groups beside it, and of the host."""
        found: dict[str, Variable] = {}
        for group in groups:
            found.update(group.variables)
        for group in groups:
            found.update(group.further)
        return {**found, **host.variables, **host.further}


def imported_host(
    host: AnsibleHost, groups: list[str], variables: Mapping[str, Variable], notes: Notes
) -> ImportedHost | None:
    """Return a host's login, None without SSH. Notes skipped variables."""
    usable = dict(importable_variables(variables, notes))

    def value(names: tuple[str, ...]) -> str:
        return next((usable[name].value for name in reversed(names) if name in usable), "")

    connection = usable.get(CONNECTION)
    if connection and connection.value not in OVER_SSH:
        notes.add(host.spot, f"{host.name} is left out: its {CONNECTION} is not SSH")
        return None
    unreadable = [name for name in ADDRESS if name in variables and name not in usable]
    if unreadable:
        notes.add(host.spot, f"{host.name} is left out: its {unreadable[0]} cannot be read")
        return None
    jump = ""
    for name in ARGUMENTS:
        if name in usable:
            jump = jump_of(name, usable[name], notes) or jump
    own = tuple(name for name in groups if name not in {ALL, UNGROUPED})
    return ImportedHost(
        host.name, host.spot, value(ADDRESS) or host.name, value(USER), value(PORT), value(KEY), jump, own
    )


def importable_variables(variables: Mapping[str, Variable], notes: Notes) -> Iterator[tuple[str, Variable]]:
    """Yield variables that can be imported; note the others once."""
    for name, variable in variables.items():
        if SECRET.search(name):
            notes.once(name, variable.spot, f"{name} is skipped: write secrets to files of their own")
        elif name not in TAKEN:
            notes.once(name, variable.spot, f"{name} is skipped")
        elif VAULT in variable.value:
            notes.once(name, variable.spot, f"{name} is skipped: it is in Ansible's vault")
        elif TEMPLATE.search(variable.value):
            notes.once(name, variable.spot, f"{name} is skipped: it is a template, which only Ansible can expand")
        else:
            yield name, variable


def jump_of(name: str, variable: Variable, notes: Notes) -> str:
    """Return the jump host in ssh options; note the other options."""
    try:
        words = shlex.split(variable.value)
    except ValueError:
        words = [variable.value]
    jump, rest = "", []
    while words:
        word = words.pop(0)
        option = word.removeprefix("-o") if word != "-o" else (words.pop(0) if words else "")
        keyword, _, value = option.strip().partition("=")
        if word == "-J" and words:
            jump = words.pop(0)
        elif word.startswith("-J") and word != "-J":
            jump = word.removeprefix("-J")
        elif word.startswith("-o") and keyword.strip().lower() == "proxyjump":
            jump = value.strip()
        else:
            rest.append(word if word != "-o" else f"-o {option}")
    if rest:
        notes.once(f"{name} {rest}", variable.spot, f"{name} has options that are skipped")
    return jump


def of_login(variables: Mapping[str, Variable]) -> dict[str, Variable]:
    """Return Ansible's variables; the others are for tasks."""
    return {name: variable for name, variable in variables.items() if name.startswith(PREFIX)}
