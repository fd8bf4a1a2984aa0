"""Ranges of hosts, such as web[01:20].

Values may have ranges, too: web[1:2] with address 10.0.0.[11:12] puts web2 at 10.0.0.12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from machinectl.fleet.file_errors import Wrong
from machinectl.fleet.yaml_nodes import MapEntry, entries_of, inner_nodes, made_mapping, made_text, place
from machinectl.ranges import VALUE_RANGE, InvalidRange, expand_names, expand_ranges

if TYPE_CHECKING:
    from machinectl.fleet.file_errors import Faults
    from machinectl.fleet.yaml_nodes import Entries, Node


class Member(yaml.ScalarNode):
    """The name of a host of a range."""


def expand_hosts_part(hosts: Entries, faults: Faults) -> Entries:
    """Expand ranges; add errors."""
    expanded: Entries = {}
    for name, entry in hosts.items():
        members: list[yaml.ScalarNode] = [entry.key]
        values = [entry.value]
        try:
            if "[" in name:
                members = [Member("", member, entry.key.start_mark) for member in expand_names(name)]
                values = spread(entry.value, name, len(members))
        except InvalidRange as exc:
            faults.add(place(entry.key), f"{name!r}: {exc}")
            continue
        except Wrong as wrong:
            faults.add(wrong.place, wrong.why)
            continue
        for key, value in zip(members, values, strict=True):
            before = expanded.setdefault(key.value, MapEntry(key, value))
            if before.key is not key:
                faults.twice(place(key), key.value, place(before.key))
    return expanded


def has_range(node: Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return VALUE_RANGE.search(node.value) is not None
    return any(map(has_range, inner_nodes(node)))


def spread(node: Node, name: str, count: int) -> list[Node]:
    """Return a node for each host; without a range, it is the same. Raises Wrong."""
    if not has_range(node):
        return [node] * count
    if isinstance(node, yaml.ScalarNode):
        try:
            texts = expand_ranges(node.value, VALUE_RANGE)
        except InvalidRange as exc:
            raise Wrong(place(node), f"{node.value!r}: {exc}") from exc
        if len(texts) != count:
            raise Wrong(place(node), f"{node.value!r} has {len(texts)} values for the {count} hosts of {name!r}")
        return [made_text(text, node) for text in texts]
    rows = zip(*(spread(inner, name, count) for inner in inner_nodes(node)), strict=True)
    if isinstance(node, yaml.SequenceNode):
        return [yaml.SequenceNode("", list(row), node.start_mark) for row in rows]
    keys = {key: entry.key for key, entry in entries_of(node).items()}
    return [
        made_mapping({text: MapEntry(key, value) for (text, key), value in zip(keys.items(), row, strict=True)}, node)
        for row in rows
    ]
