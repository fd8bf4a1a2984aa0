"""A fleet's file as it is written: what comes out is read again as the very same texts, and meant to be edited.

What many hosts share stands in its defaults. Comments are lines, whatever was put into them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import yaml

from machinectl.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from machinectl.driver import Option, OptionValue

    # What stands under a key: also a mapping of texts, as labels are.
    Value = OptionValue | Mapping[str, str]

# What needs no quotes in any YAML where it is no number, date or word of its own: after a colon, and between brackets.
PLAIN = re.compile(r"[A-Za-z0-9/.~](?:[\w/.@=~+%-]|:(?=[^\s:]))*", re.ASCII)
PLAIN_IN_BRACKETS = re.compile(r"[A-Za-z0-9/.~][\w/.@=~+%-]*", re.ASCII)
TEXT_TAG = "tag:yaml.org,2002:str"
# How long a line with a list or labels may get before each has one of its own. Characters.
LONGEST_LINE = 100


@dataclass(frozen=True)
class Described:
    """A host as the file is to have it: what is said of it by key, and remarks, which become comments above it.

    What is at its default is not among the keys.
    """

    name: str
    driver: str
    keys: Mapping[str, Value] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def fleet_text(
    heading: Sequence[str],
    hosts: Sequence[Described],
    options: Mapping[str, Sequence[Option]],
    groups: Mapping[str, Mapping[str, Value]] | None = None,
    left_out: Iterable[str] = (),
) -> str:
    """A whole file. `options` are those of each driver, by its name; `left_out` are remarks about what is no host of it.

    Raises ValueError for a text that no YAML can hold.
    """
    defaults, own = shared(hosts, options)
    lines = [comment(line) for line in heading]
    if defaults:
        lines += ["", "defaults:", *(line for key, value in defaults.items() for line in entry(key, value, 2))]
    if groups:
        lines += ["", "groups:"]
        for name, keys in groups.items():
            lines += block(name, keys)
    lines += ["", "hosts:" if own else "hosts: {}"]
    for host in own:
        lines += [comment(remark, 2) for remark in host.remarks]
        lines += block(host.name, host.keys)
    lines += [comment(remark, 2) for remark in left_out]
    return "\n".join(lines).strip("\n") + "\n"


def shared(
    hosts: Sequence[Described], options: Mapping[str, Sequence[Option]]
) -> tuple[dict[str, Value], list[Described]]:
    """What most hosts have in common, and the hosts with what differs from that.

    A default is for each host whose driver has the option: one that has none of it says so.
    """
    counted = Counter(host.driver for host in hosts)
    if not counted:
        return {}, []
    driver = counted.most_common(1)[0][0]
    defaults: dict[str, Value] = {"driver": driver}
    own = {host.name: dict(host.keys) for host in hosts}
    for name in counted:
        elsewhere = {option.name for other in counted if other != name for option in options[other]}
        of_driver = [host for host in hosts if host.driver == name]
        for option in options[name]:
            if option.required or option.secret or option.name in elsewhere or isinstance(option.default, tuple):
                continue
            found = Counter(host.keys.get(option.name, option.default) for host in of_driver)
            value, times = found.most_common(1)[0]
            if value == option.default or times < 2 or 2 * times <= len(of_driver):  # noqa: PLR2004 - half of them
                continue
            defaults[option.name] = value
            for host in of_driver:
                keys = own[host.name]
                if keys.setdefault(option.name, option.default) == value:
                    del keys[option.name]
    rest = [
        replace(host, keys={**({} if host.driver == driver else {"driver": host.driver}), **own[host.name]})
        for host in hosts
    ]
    return defaults, rest


def block(name: str, keys: Mapping[str, Value]) -> list[str]:
    """A host or a group, with what is said of it."""
    lines = [line for key, value in keys.items() for line in entry(key, value, 4)]
    return [f"  {scalar(name)}:", *lines] if lines else [f"  {scalar(name)}: {{}}"]


def entry(key: str, value: Value, indent: int) -> list[str]:
    """A key with its value, in one line where that is short."""
    start = f"{' ' * indent}{scalar(key)}:"
    if isinstance(value, bool | int) or value is None:
        return [f"{start} {'null' if value is None else str(value).lower()}"]
    if isinstance(value, str):
        return [f"{start} {text(value)}"]
    if isinstance(value, tuple):
        short = f"{start} [{', '.join(text(each, PLAIN_IN_BRACKETS) for each in value)}]"
        long = [start, *(f"{' ' * indent}  - {text(each)}" for each in value)]
    else:
        pairs = [(scalar(name, PLAIN_IN_BRACKETS), each) for name, each in value.items()]
        short = f"{start} {{{', '.join(f'{name}: {text(each, PLAIN_IN_BRACKETS)}' for name, each in pairs)}}}"
        long = [start, *(f"{' ' * indent}  {name}: {text(each)}" for name, each in pairs)]
    return [short] if len(short) <= LONGEST_LINE or not value else long


def text(value: str, plain: re.Pattern[str] = PLAIN) -> str:
    """A value: what a fleet's file would take for a variable of the environment stands for itself (`expansion`)."""
    return scalar(value.replace("$", "$$"), plain)


def scalar(value: str, plain: re.Pattern[str] = PLAIN) -> str:
    """A text as YAML has it, in quotes unless it is a text without them, for every reader. Raises ValueError."""
    if plain.fullmatch(value) and not is_number(value) and is_text(value):
        return value
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("half a character")
    shown = yaml.safe_dump(value, default_style='"', width=math.inf, allow_unicode=value.isprintable())
    return shown.removesuffix("\n")


def is_text(value: str) -> bool:
    """Whether YAML 1.1 takes a plain scalar for a text."""
    tag = yaml.resolver.Resolver().resolve(yaml.ScalarNode, value, (True, False))
    return bool(tag == TEXT_TAG)


def is_number(value: str) -> bool:
    """Whether another YAML's reader, as editors have, might take it for a number."""
    try:
        float(value)
    except ValueError:
        return value[:2].lower() in {"0x", "0o", "0b"}
    return True


def comment(remark: str, indent: int = 0) -> str:
    """A remark in one line of its own, nothing of which is read."""
    return f"{' ' * indent}# {one_line(remark, LONGEST_LINE * 3)}".rstrip() if remark else ""
