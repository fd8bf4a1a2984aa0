"""A new fleet file for the user to edit; common settings become defaults."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from machinectl.errors import one_line
from machinectl.fleet.file_errors import WrongFile
from machinectl.fleet.fleet_file import DEFAULT_FILE, parse_fleet
from machinectl.fleet.fleet_keys import FLEET

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from machinectl.driver import Option, OptionValue

    # A key's value; mappings are labels.
    Value = OptionValue | Mapping[str, str]

LONGEST_COMMENT = 300


@dataclass(frozen=True)
class Described:
    """A host. Omits default values. Remarks become comments."""

    name: str
    driver: str
    keys: Mapping[str, Value] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """A file to write. `options` are by driver. `left_out` are remarks on missing hosts."""

    heading: Sequence[str]
    hosts: Sequence[Described]
    options: Mapping[str, Sequence[Option]]
    groups: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    name: str = ""

    def text(self) -> str:
        defaults = shared_settings(self.hosts, self.options)
        return "".join(f"{line}\n" for line, _ in self.lines(defaults))

    def lines(self, defaults: Mapping[str, Value]) -> list[tuple[str, str]]:
        """Return lines with their hosts, or "" for none."""
        lines = [comment(line) for line in self.heading]
        if self.name:
            lines += ["", *yaml_lines({FLEET: self.name})]
        if defaults:
            lines += ["", "defaults:", *yaml_lines(defaults, 2)]
        if self.groups:
            lines += ["", "groups:"]
        for name, keys in self.groups.items():
            lines += block_lines(name, keys)
        lines += ["", "hosts:" if self.hosts else "hosts: {}"]
        marked = [(line, "") for line in lines]
        for host in self.hosts:
            keys = {"driver": host.driver, **host.keys}
            own = {key: value for key, value in keys.items() if (key, value) not in defaults.items()}
            marked += [(comment(remark, 2), "") for remark in host.remarks]
            marked += [(line, host.name) for line in block_lines(host.name, own)]
        return [*marked, *((comment(remark, 2), "") for remark in self.left_out)]


def settled(draft: Draft, machines: Collection[str]) -> Draft:
    """Remove hosts that no file can have; add remarks. Raises WrongFile for other errors.

    `machines` are the store's.
    """
    while True:
        # Without defaults, each error is in the line of a host.
        lines = draft.lines({})
        try:
            parse_fleet("".join(f"{line}\n" for line, _ in lines).encode(), DEFAULT_FILE, machines, {})
        except WrongFile as wrong:
            reasons: dict[str, str] = {}
            for place, why in wrong.faults:
                reasons.setdefault(lines[place.line - 1][1], why)
            if "" in reasons:
                raise
            hosts = [host for host in draft.hosts if host.name not in reasons]
            remarks = (f"{name} is left out: {why}" for name, why in reasons.items())
            draft = replace(draft, hosts=hosts, left_out=(*draft.left_out, *remarks))
        else:
            return draft


def shared_settings(hosts: Sequence[Described], options: Mapping[str, Sequence[Option]]) -> dict[str, Value]:
    """Return the most frequent driver, and the options that all hosts of a driver have alike.

    A default applies to all hosts whose driver has the option.
    """
    counted = Counter(host.driver for host in hosts)
    defaults: dict[str, Value] = {"driver": counted.most_common(1)[0][0]} if hosts else {}
    for name, count in counted.items():
        elsewhere = {option.shown for other in counted if other != name for option in options[other]}
        for option in options[name]:
            values = [host.keys.get(option.shown) for host in hosts if host.driver == name]
            is_shared = count > 1 and all(value == values[0] for value in values)
            if is_shared and values[0] is not None and not option.required and option.shown not in elsewhere:
                defaults[option.shown] = values[0]
    return defaults


def block_lines(name: str, keys: Mapping[str, Value]) -> Iterator[str]:
    first, *_ = yaml_lines({name: {}}, 2)
    yield first.removesuffix(" {}") if keys else first
    yield from yaml_lines(keys, 4)


def yaml_lines(keys: Mapping[str, Value], indent: int = 0) -> Iterator[str]:
    """Yield lines that read as the very same texts; lists and labels are in brackets."""
    for key, value in keys.items():
        is_bracketed = value and not isinstance(value, str | int)
        style: dict[str, Any] = {"default_flow_style": None if is_bracketed else False, "sort_keys": False}
        text = yaml.safe_dump({key: escaped(value)}, width=math.inf, **style)
        yield from (" " * indent + line for line in text.removesuffix("\n").split("\n"))


def escaped(value: Any) -> Any:
    """Escape $ in values, not in keys."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, tuple):
        return [*map(escaped, value)]
    return {key: escaped(text) for key, text in value.items()} if isinstance(value, dict) else value


def comment(remark: str, indent: int = 0) -> str:
    return f"{' ' * indent}# {one_line(remark, LONGEST_COMMENT)}".rstrip() if remark else ""
