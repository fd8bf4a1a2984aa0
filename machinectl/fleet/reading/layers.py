"""What is said of a host in one place of a file, and in several: the nearer counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from machinectl.fleet.keys import LABELS
from machinectl.fleet.syntax.document import Scalar

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from machinectl.fleet.syntax.document import MapEntry, Node


class Layer(NamedTuple):
    """What defaults, a group or a host say: entries by key, and the labels among them by name."""

    entries: Mapping[str, MapEntry]
    labels: Mapping[str, Scalar]

    def without(self, keys: Container[str]) -> Layer:
        """The same without some of what it says."""
        return Layer({key: entry for key, entry in self.entries.items() if key not in keys}, self.labels)


NOTHING_SAID = Layer({}, {})


def merged(layers: Iterable[Layer]) -> Layer:
    """What is said in all of them, a later one over an earlier one; of labels each by itself. Null takes back."""
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
    """The same as `merged` of two, the first of which is merged already."""
    if LABELS in own.entries:
        return merged([base, own])
    for entry in own.entries.values():
        if is_null(entry.value):
            return merged([base, own])
    return Layer({**base.entries, **own.entries}, base.labels)


def is_null(node: Node) -> bool:
    """Whether nothing stands there, or YAML's word for it."""
    return isinstance(node, Scalar) and node.is_null
