"""Layers of settings: defaults, groups, host. The most specific setting wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.fleet.fleet_keys import COMMON, DEFAULTS, GROUPS, LABEL, LABELS, Drivers, short_key
from machinectl.fleet.reading.key_values import KeyValues, Wrong, as_typed, labels_of
from machinectl.fleet.syntax.document import NULLS, Listed, MapEntry, Mapped, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from machinectl.fleet.syntax.faults import Faults

# Keys that are not options.
WITHOUT_VALUE = frozenset({LABELS, GROUPS})


@dataclass(slots=True)
class Layer:
    """The settings of defaults, a group or a host; labels by name."""

    entries: Mapping[str, MapEntry]
    labels: Mapping[str, Scalar]

    def without(self, keys: Container[str]) -> Layer:
        return Layer({key: entry for key, entry in self.entries.items() if key not in keys}, self.labels)


NOTHING_SET = Layer({}, {})


class Layers:
    """A file's layers; adds errors."""

    def __init__(self, root: Mapped, known: KeyValues, faults: Faults) -> None:
        self.root = root
        self.known = known
        self.faults = faults
        self.defaults = self.layer(self.part(DEFAULTS))
        self.groups = {
            name: self.layer(mapped) if (mapped := self.mapping(f"The group {name}", entry.value)) else NOTHING_SET
            for name, entry in self.part(GROUPS).entries.items()
        }
        # Groups whose names need no expansion.
        self._plain = {name for name in self.groups if "$" not in name and name not in NULLS and name.isprintable()}
        self._bases: dict[tuple[str, ...], Layer] = {}

    def part(self, name: str) -> Mapped:
        entry = self.root.entries.get(name)
        return (self.mapping(name, entry.value) if entry else None) or Mapped(self.root.place)

    def mapping(self, name: str, node: Node) -> Mapped | None:
        """Return an empty mapping for null, None after an error."""
        if isinstance(node, Mapped):
            return node
        if is_null(node):
            return Mapped(node.place)
        self.faults.add(node.place, f"{name} needs lines KEY: VALUE, this is {node.name}")
        return None

    def layer(self, mapped: Mapped) -> Layer:
        entry = mapped.entries.get(LABELS)
        labels: dict[str, Scalar] = {}
        if entry:
            try:
                labels = labels_of(entry.value)
            except Wrong as wrong:
                self.faults.add(wrong.place, wrong.why)
        return Layer({short_key(key): entry for key, entry in mapped.entries.items()}, labels)

    def groups_of(self, own: Layer) -> tuple[str, ...]:
        """Return a host's groups; add unknown ones as errors."""
        entry = own.entries.get(GROUPS) or self.defaults.entries.get(GROUPS)
        if entry is None or is_null(entry.value):
            return ()
        nodes = entry.value.items if isinstance(entry.value, Listed) else [entry.value]
        plain = [node.text for node in nodes if isinstance(node, Scalar) and node.text in self._plain]
        if len(plain) == len(nodes):
            return tuple(plain)
        value = self.known.value(COMMON[GROUPS], entry.value)
        names = value if isinstance(value, tuple) else ()
        for name, node in zip(names, nodes, strict=False):
            if name not in self.groups:
                self.faults.unknown(node.place, as_typed(node, name), self.groups, "group")
        return tuple(name for name in names if name in self.groups)

    def base(self, groups: tuple[str, ...]) -> Layer:
        """Merge defaults and groups; a later group wins."""
        if groups not in self._bases:
            self._bases[groups] = merge_layers([self.defaults, *(self.groups[group] for group in groups)])
        return self._bases[groups]

    def check_shared(self, drivers: Drivers) -> None:
        """Add errors of defaults and groups, used or not."""
        for layer in (self.defaults, *self.groups.values()):
            self._check(layer, drivers)
        for name, group in self.groups.items():
            if GROUPS in group.entries:
                self.faults.add(group.entries[GROUPS].place, f"The group {name} cannot be in groups: only hosts can")

    def _check(self, layer: Layer, drivers: Drivers) -> None:
        for name, entry in layer.entries.items():
            key = COMMON.get(name) or drivers.key(name)
            if key is None:
                known = dict.fromkeys(name for each in drivers.all() for name in each.keys)
                self.faults.unknown(entry.place, name, (*COMMON, *known), "option of a host")
            elif name not in WITHOUT_VALUE and not is_null(entry.value):
                self.known.value(key, entry.value)
        for node in layer.labels.values():
            if not node.is_null:
                self.known.value(LABEL, node)


def merge_layers(layers: Iterable[Layer]) -> Layer:
    """Merge layers. Later settings and labels win; null removes a setting."""
    entries: dict[str, MapEntry] = {}
    labels: dict[str, Scalar] = {}
    for layer in layers:
        if LABELS in layer.entries and is_null(layer.entries[LABELS].value):
            labels.clear()
        entries.update(layer.entries)
        labels.update(layer.labels)
    return Layer(
        {key: entry for key, entry in entries.items() if not is_null(entry.value)},
        {name: text for name, text in labels.items() if not text.is_null},
    )


def over(base: Layer, own: Layer) -> Layer:
    """Do the same as `merged`, faster, for a merged base."""
    if LABELS in own.entries:
        return merge_layers([base, own])
    for entry in own.entries.values():
        if is_null(entry.value):
            return merge_layers([base, own])
    return Layer({**base.entries, **own.entries}, base.labels)


def is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null
