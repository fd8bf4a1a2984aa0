"""A new fleet file for the user to edit.

Common settings become defaults. Quoting preserves texts.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from machinectl.errors import one_line
from machinectl.fleet.file_errors import WrongFile
from machinectl.fleet.fleet_file import DEFAULT_FILE, parse_fleet
from machinectl.fleet.fleet_keys import FLEET, typed_jump
from machinectl.fleet.host_reader import JUMP
from machinectl.machines.jump_hosts import machine_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from machinectl.driver import Option, OptionValue

    # A key's value; mappings are labels.
    Value = OptionValue | Mapping[str, str]

# Texts that need no quotes, after a colon or in brackets, unless YAML reads a number, date or word.
PLAIN = re.compile(r"[A-Za-z0-9/.~](?:[\w/.@=~+%-]|:(?=[^\s:]))*", re.ASCII)
PLAIN_IN_BRACKETS = re.compile(r"[A-Za-z0-9/.~][\w/.@=~+%-]*", re.ASCII)
RESOLVER: Any = yaml.resolver.Resolver()
TEXT_TAG = "tag:yaml.org,2002:str"
# Characters; a longer list has one item per line.
LONGEST_LINE = 100


@dataclass(frozen=True)
class Described:
    """Omits default values. Remarks become comments."""

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
        defaults, hosts = (
            shared_settings(self.hosts, self.options) if self.shares else ({}, list(map(with_driver_key, self.hosts)))
        )
        lines = [comment(line) for line in self.heading]
        if self.name:
            lines += ["", *yaml_entry(FLEET, self.name, 0)]
        if defaults:
            lines += ["", "defaults:", *(line for key, value in defaults.items() for line in yaml_entry(key, value, 2))]
        if self.groups:
            lines += ["", "groups:"]
        for name, keys in self.groups.items():
            lines += yaml_block(name, keys)
        lines += ["", "hosts:" if hosts else "hosts: {}"]
        found = [(line, "") for line in lines]
        for host in hosts:
            found += [(comment(remark, 2), "") for remark in host.remarks]
            found += [(line, host.name) for line in yaml_block(host.name, host.keys)]
        return [*found, *((comment(remark, 2), "") for remark in self.left_out)]


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
                draft = without_hosts(draft, reasons, machines)
            elif draft.shares:
                # An error in a default belongs to the hosts that share it.
                draft = replace(draft, shares=False)
            else:
                raise
        else:
            return draft


def without_hosts(draft: Draft, reasons: Mapping[str, str], machines: Collection[str]) -> Draft:
    """Remove hosts, and those behind a removed one that is not a machine."""
    gone = dict(reasons)
    lost = {*gone} - {*machines}
    hosts = [host for host in draft.hosts if host.name not in gone]
    while behind := {
        host.name: jump for host in hosts if (jump := machine_of(typed_jump(str(host.keys.get(JUMP, ""))))) in lost
    }:
        gone |= {name: f"its jump host {jump} is" for name, jump in behind.items()}
        lost = {*behind} - {*machines}
        hosts = [host for host in hosts if host.name not in gone]
    return replace(draft, hosts=hosts, left_out=(*draft.left_out, *(left_out(*each) for each in gone.items())))


def left_out(name: str, why: str) -> str:
    return f"{name} is left out: {why}"


def with_driver_key(host: Described) -> Described:
    return replace(host, keys={"driver": host.driver, **host.keys})


def shared_settings(
    hosts: Sequence[Described], options: Mapping[str, Sequence[Option]]
) -> tuple[dict[str, Value], list[Described]]:
    """Return common settings as defaults, and hosts with the others.

    A default applies to all hosts whose driver has the option: all must set it.
    """
    if not hosts:
        return {}, []
    counted = Counter(host.driver for host in hosts)
    driver = counted.most_common(1)[0][0]
    defaults: dict[str, Value] = {"driver": driver}
    for name in counted:
        of_driver = [host for host in hosts if host.driver == name]
        elsewhere = {option.shown for other in counted if other != name for option in options[other]}
        for option in options[name]:
            is_own = not (option.required or option.secret or option.shown in elsewhere)
            said = [host.keys[option.shown] for host in of_driver if option.shown in host.keys]
            if is_own and len(said) == len(of_driver) > 1 and not isinstance(option.default, tuple):
                value, times = Counter(said).most_common(1)[0]
                if 2 * times > len(of_driver):
                    defaults[option.shown] = value
    own = [
        replace(host, keys={key: value for key, value in host.keys.items() if (key, value) not in defaults.items()})
        for host in hosts
    ]
    return defaults, [host if host.driver == driver else with_driver_key(host) for host in own]


def yaml_block(name: str, keys: Mapping[str, Value]) -> list[str]:
    lines = [line for key, value in keys.items() for line in yaml_entry(key, value, 4)]
    return [f"  {yaml_scalar(name)}:", *lines] if lines else [f"  {yaml_scalar(name)}: {{}}"]


def yaml_entry(key: str, value: Value, indent: int) -> list[str]:
    start = f"{' ' * indent}{yaml_scalar(key)}:"
    if isinstance(value, bool | int) or value is None:
        return [f"{start} {'null' if value is None else str(value).lower()}"]
    if isinstance(value, str):
        return [f"{start} {yaml_text(value)}"]
    if isinstance(value, tuple):
        short = f"{start} [{', '.join(yaml_text(each, PLAIN_IN_BRACKETS) for each in value)}]"
        long = [start, *(f"{' ' * indent}  - {yaml_text(each)}" for each in value)]
    else:
        pairs = [(yaml_scalar(name, PLAIN_IN_BRACKETS), each) for name, each in value.items()]
        short = f"{start} {{{', '.join(f'{name}: {yaml_text(each, PLAIN_IN_BRACKETS)}' for name, each in pairs)}}}"
        long = [start, *(f"{' ' * indent}  {name}: {yaml_text(each)}" for name, each in pairs)]
    return [short] if len(short) <= LONGEST_LINE or not value else long


def yaml_text(value: str, plain: re.Pattern[str] = PLAIN) -> str:
    """Quote a text, and escape $."""
    return yaml_scalar(value.replace("$", "$$"), plain)


def yaml_scalar(value: str, plain: re.Pattern[str] = PLAIN) -> str:
    """Quote a text unless every YAML reader takes it for a text. Raises ValueError."""
    # YAML 1.1 reads some words as dates, numbers or booleans.
    is_text = RESOLVER.resolve(yaml.ScalarNode, value, (True, False)) == TEXT_TAG
    if plain.fullmatch(value) and not is_number(value) and is_text:
        return value
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("half a character")
    shown = yaml.safe_dump(value, default_style='"', width=math.inf, allow_unicode=value.isprintable())
    return shown.removesuffix("\n")


def is_number(value: str) -> bool:
    """Return whether other YAML readers, such as editors, might see a number."""
    try:
        float(value)
    except ValueError:
        return value[:2].lower() in {"0x", "0o", "0b"}
    return True


def comment(remark: str, indent: int = 0) -> str:
    return f"{' ' * indent}# {one_line(remark, LONGEST_LINE * 3)}".rstrip() if remark else ""
