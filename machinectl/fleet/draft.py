"""A new fleet file for the user to edit; common settings become defaults."""

from __future__ import annotations

import functools
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
    """A file to write.

    `options` are by driver. `left_out` are remarks on missing hosts. If it `shares`, common settings become defaults.
    """

    heading: Sequence[str]
    hosts: Sequence[Described]
    options: Mapping[str, Sequence[Option]]
    groups: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    shares: bool = True
    name: str = ""

    def text(self) -> str:
        return "".join(f"{line}\n" for line, _ in self.lines())

    def lines(self) -> list[tuple[str, str]]:
        """Return lines with their hosts, or "" for none."""
        defaults, hosts = shared_settings(self.hosts, self.options) if self.shares else ({}, self.hosts)
        lines = [comment(line) for line in self.heading]
        if self.name:
            lines += ["", *yaml_lines({FLEET: self.name})]
        if defaults:
            lines += ["", "defaults:", *yaml_lines(defaults, 2)]
        if self.groups:
            lines += ["", "groups:"]
        for name, keys in self.groups.items():
            lines += block_lines(name, keys)
        lines += ["", "hosts:" if hosts else "hosts: {}"]
        marked = [(line, "") for line in lines]
        for host in hosts:
            keys = host.keys if host.driver == defaults.get("driver") else {"driver": host.driver, **host.keys}
            marked += [(comment(remark, 2), "") for remark in host.remarks]
            marked += [(line, host.name) for line in block_lines(host.name, keys)]
        return [*marked, *((comment(remark, 2), "") for remark in self.left_out)]


def settled(draft: Draft, machines: Collection[str]) -> Draft:
    """Remove hosts that no file can have; add remarks. Raises WrongFile for other errors.

    `machines` are the store's.
    """
    while True:
        try:
            parse_fleet(draft.text().encode(), DEFAULT_FILE, machines, {})
        except WrongFile as wrong:
            lines = draft.lines()
            reasons: dict[str, str] = {}
            for place, why in wrong.faults:
                reasons.setdefault(lines[place.line - 1][1], why)
            if not reasons.pop("", None) and reasons:
                hosts = [host for host in draft.hosts if host.name not in reasons]
                remarks = tuple(left_out(name, why) for name, why in reasons.items())
                draft = replace(draft, hosts=hosts, left_out=(*draft.left_out, *remarks))
            elif draft.shares:
                # An error in a default belongs to the hosts that share it.
                draft = replace(draft, shares=False)
            else:
                raise
        else:
            return draft


def left_out(name: str, why: str) -> str:
    return f"{name} is left out: {why}"


def shared_settings(
    hosts: Sequence[Described], options: Mapping[str, Sequence[Option]]
) -> tuple[dict[str, Value], list[Described]]:
    """Return common settings as defaults, and hosts with the others.

    A default applies to all hosts whose driver has the option: all must set it.
    """
    counted = Counter(host.driver for host in hosts)
    defaults: dict[str, Value] = {"driver": counted.most_common(1)[0][0]} if hosts else {}
    for name in counted:
        of_driver = [host for host in hosts if host.driver == name]
        elsewhere = {option.shown for other in counted if other != name for option in options[other]}
        for option in options[name]:
            is_own = not (option.required or option.secret or option.shown in elsewhere)
            values = [host.keys[option.shown] for host in of_driver if option.shown in host.keys]
            if is_own and len(values) == len(of_driver) > 1 and not isinstance(option.default, tuple):
                value, times = Counter(values).most_common(1)[0]
                if 2 * times > len(of_driver):
                    defaults[option.shown] = value
    return defaults, [
        replace(host, keys={key: value for key, value in host.keys.items() if (key, value) not in defaults.items()})
        for host in hosts
    ]


def block_lines(name: str, keys: Mapping[str, Value]) -> Iterator[str]:
    first, *_ = yaml_lines({name: {}}, 2)
    yield first.removesuffix(" {}") if keys else first
    yield from yaml_lines(keys, 4)


def yaml_lines(keys: Mapping[str, Value], indent: int = 0) -> Iterator[str]:
    """Yield lines that read as the very same texts; lists and labels are in brackets."""
    for key, value in keys.items():
        is_bracketed = value and not isinstance(value, str | int)
        dump: Any = functools.partial(
            yaml.safe_dump,
            {key: escaped(value)},
            default_flow_style=None if is_bracketed else False,
            sort_keys=False,
            width=math.inf,
        )
        text = dump(allow_unicode=True).removesuffix("\n")
        if not text.replace("\n", "").isprintable():
            # Some of these characters break lines.
            text = dump(allow_unicode=False).removesuffix("\n")
        yield from (" " * indent + line for line in text.split("\n"))


def escaped(value: Any) -> Any:
    """Escape $ in values, not in keys."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, tuple):
        return [*map(escaped, value)]
    return {key: escaped(text) for key, text in value.items()} if isinstance(value, dict) else value


def comment(remark: str, indent: int = 0) -> str:
    return f"{' ' * indent}# {one_line(remark, LONGEST_COMMENT)}".rstrip() if remark else ""
