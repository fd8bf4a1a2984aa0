"""Ranges of hosts, such as web[01:20].

Values may have ranges, too: web[1:2] with address 10.0.0.[11:12] puts web2 at 10.0.0.12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from machinectl.fleet.key_values import Wrong
from machinectl.fleet.yaml_nodes import MOST_NODES, MapEntry, entries_of, made_mapping, made_text, place
from machinectl.ranges import VALUE_RANGE, InvalidRange, expand_names, expand_ranges

if TYPE_CHECKING:
    from machinectl.fleet.file_errors import Faults
    from machinectl.fleet.yaml_nodes import Entries, Node


class Member(yaml.ScalarNode):
    """The name of a host of a range."""


def expand_hosts_part(hosts: Entries, faults: Faults) -> Entries:
    """Expand ranges. Raises WrongFile for too many hosts."""
    if not any("[" in name for name in hosts):
        return hosts
    found: Entries = {}
    size = 0
    for name, entry in hosts.items():
        names = names_in(name, entry, faults)
        # Check first: few KB may expand beyond memory.
        size += len(names) * (size_of(entry.value) if has_range(entry.value) else 1)
        if size > MOST_NODES:
            faults.add(place(entry.key), f"The hosts up to here have more than {MOST_NODES} values")
            raise faults.wrong_file()
        if not names:
            continue
        try:
            values = spread(entry.value, name, len(names)) if "[" in name else [entry.value]
        except Wrong as wrong:
            faults.add(wrong.place, wrong.why)
            continue
        for member, value in zip(names, values, strict=True):
            key = Member("", member, entry.key.start_mark) if "[" in name else entry.key
            if before := found.get(member):
                faults.twice(place(key), member, place(before.key))
            else:
                found[member] = MapEntry(key, value)
    return found


def names_in(name: str, entry: MapEntry, faults: Faults) -> list[str]:
    if "[" not in name:
        return [name]
    try:
        return expand_names(name)
    except InvalidRange as exc:
        faults.add(place(entry.key), f"{name!r}: {exc}")
        return []


def inner_nodes(node: Node) -> list[Node]:
    if isinstance(node, yaml.MappingNode):
        return [entry.value for entry in entries_of(node).values()]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def size_of(node: Node) -> int:
    return 1 + sum(map(size_of, inner_nodes(node)))


def has_range(node: Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return VALUE_RANGE.search(node.value) is not None
    return any(map(has_range, inner_nodes(node)))


def spread(node: Node, name: str, count: int) -> list[Node]:
    """Return a node for each host; without a range, it is the same. Raises Wrong."""
    if not has_range(node):
        return [node] * count
    if isinstance(node, yaml.ScalarNode):
        return [made_text(text, node) for text in spread_text(node, name, count)]
    columns = [spread(each, name, count) for each in inner_nodes(node)]
    rows = [[column[at] for column in columns] for at in range(count)]
    if isinstance(node, yaml.SequenceNode):
        return [yaml.SequenceNode("", row, node.start_mark) for row in rows]
    entries = entries_of(node) if isinstance(node, yaml.MappingNode) else {}
    keys = {name: entry.key for name, entry in entries.items()}
    return [
        made_mapping({name: MapEntry(key, value) for (name, key), value in zip(keys.items(), row, strict=True)}, node)
        for row in rows
    ]


def spread_text(node: yaml.ScalarNode, name: str, count: int) -> list[str]:
    try:
        texts = expand_ranges(node.value, VALUE_RANGE)
    except InvalidRange as exc:
        raise Wrong(place(node), f"{node.value!r}: {exc}") from exc
    if len(texts) != count:
        raise Wrong(place(node), f"{node.value!r} has {len(texts)} values for the {count} hosts of {name!r}")
    return texts
