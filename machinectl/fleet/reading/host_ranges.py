"""Ranges of hosts, such as web[01:20].

Values may have ranges, too: web[1:2] with address 10.0.0.[11:12] puts web2 at 10.0.0.12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.fleet.reading.key_values import Wrong
from machinectl.fleet.syntax.document import MOST_NODES, Listed, MapEntry, Mapped, Node, Scalar
from machinectl.ranges import VALUE_RANGE, InvalidRange, expand_names, expand_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.fleet.syntax.faults import Faults


def expand_hosts_part(hosts: Mapped, faults: Faults) -> Mapped:
    """Expand ranges. Raises WrongFile for too many hosts."""
    if not any("[" in name for name in hosts.entries):
        return hosts
    found = Mapped(hosts.place)
    size = 0
    for name, entry in hosts.entries.items():
        counted = counted_in(name, entry, faults)
        # Check first: few KB may expand beyond memory.
        size += len(counted) * (entry.value.size if has_range(entry.value) else 1)
        if size > MOST_NODES:
            faults.add(entry.place, f"The hosts up to here have more than {MOST_NODES} values")
            raise faults.wrong_file()
        for member, own in range_hosts(name, counted, entry, faults):
            if before := found.entries.get(member):
                faults.twice(entry.place, member, before.place)
            else:
                found.entries[member] = own
    return found


def counted_in(name: str, entry: MapEntry, faults: Faults) -> list[str]:
    if "[" not in name:
        return [name]
    try:
        return expand_names(name)
    except InvalidRange as exc:
        faults.add(entry.place, f"{name!r}: {exc}")
        return []


def has_range(node: Node) -> bool:
    if isinstance(node, Scalar):
        return VALUE_RANGE.search(node.text) is not None
    inner = node.items if isinstance(node, Listed) else [entry.value for entry in node.entries.values()]
    return any(map(has_range, inner))


def range_hosts(name: str, counted: list[str], entry: MapEntry, faults: Faults) -> Iterator[tuple[str, MapEntry]]:
    """Yield each host with its entry; add errors."""
    if "[" not in name:
        yield name, entry
        return
    if not counted:
        return
    try:
        values = spread(entry.value, name, len(counted))
    except Wrong as wrong:
        faults.add(wrong.place, wrong.why)
    else:
        for number, member in enumerate(counted):
            yield (
                member,
                MapEntry(entry.place, values[number] if values else entry.value, member=Scalar(entry.place, member)),
            )


def spread(node: Node, name: str, count: int) -> list[Node] | None:
    """Return a node for each host, None without a range. Raises Wrong."""
    if isinstance(node, Scalar):
        return spread_text(node, name, count)
    if isinstance(node, Listed):
        items = [(item, spread(item, name, count)) for item in node.items]
        if not any(own for _, own in items):
            return None
        return [Listed(node.place, [own[at] if own else item for item, own in items]) for at in range(count)]
    entries = [(key, entry, spread(entry.value, name, count)) for key, entry in node.entries.items()]
    if not any(own for *_, own in entries):
        return None
    return [
        Mapped(node.place, {key: MapEntry(entry.place, own[at]) if own else entry for key, entry, own in entries})
        for at in range(count)
    ]


def spread_text(node: Scalar, name: str, count: int) -> list[Node] | None:
    if not VALUE_RANGE.search(node.text):
        return None
    try:
        texts = expand_ranges(node.text, VALUE_RANGE)
    except InvalidRange as exc:
        raise Wrong(node.place, f"{node.text!r}: {exc}") from exc
    if len(texts) != count:
        raise Wrong(node.place, f"{node.text!r} has {len(texts)} values for the {count} hosts of {name!r}")
    return [Scalar(node.place, text, is_plain=node.is_plain) for text in texts]
