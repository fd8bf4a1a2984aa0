"""Read YAML as a tree of texts with places.

Numbers, dates and booleans stay texts. Resolves anchors, aliases and `<<`. Format: https://yaml.org/spec/1.1/,
https://yaml.org/type/merge.html.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import yaml

from machinectl.fleet.syntax.faults import START, Faults, Place
from machinectl.fleet.syntax.yaml_errors import NOT_YAML, NotADocument, NotYAML, decoded, place_of, translated

# The limit of nodes; an alias counts in full.
MOST_NODES = 1_000_000
# Fleet files have five levels; PyYAML fails much deeper.
DEEPEST = 50
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
YAML_TAG = "tag:yaml.org,2002:"
NULL_TAG = f"{YAML_TAG}null"
# Tags that change nothing about a plain value.
PLAIN_TAGS = frozenset({"", *(f"{YAML_TAG}{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map"))})
MERGE = "<<"
# PyYAML often reports the line after the error.
LOOK_BEFORE = (
    "Look at the line before, too: indent all entries of a block by the same number of spaces, "
    "and write a space after each colon"
)


@dataclass(slots=True, eq=False)
class Scalar:
    """A scalar. `is_null`: it is empty or YAML's null."""

    place: Place
    text: str
    is_null: bool = False
    is_plain: bool = False
    size: int = 1
    name = "a text"


@dataclass(slots=True, eq=False)
class Listed:
    """`size` counts all nodes in it."""

    place: Place
    items: list[Node] = field(default_factory=list)
    size: int = 1
    name = "a list"


@dataclass(slots=True, eq=False)
class Mapped:
    """`size` counts all nodes in it."""

    place: Place
    entries: dict[str, MapEntry] = field(default_factory=dict)
    size: int = 1
    name = "a mapping"


@dataclass(slots=True, eq=False)
class MapEntry:
    """`is_merged`: it comes from `<<`. `member` is a host's name if the key is a range."""

    place: Place
    value: Node
    is_merged: bool = False
    member: Scalar | None = None


Node = Scalar | Listed | Mapped


def read_mapping(data: bytes, faults: Faults, file: str = "") -> Mapped:
    """Read a mapping. `file` names an included file. Adds errors. Raises WrongFile."""
    try:
        return as_mapping(read_tree(decoded(data), faults, file))
    except NotADocument as wrong:
        hint = LOOK_BEFORE if isinstance(wrong, NotYAML) else ""
        faults.add(wrong.place._replace(file=file), wrong.unquoted if file else wrong.why, hint)
        raise faults.wrong_file() from wrong


def as_mapping(root: Node | None) -> Mapped:
    if root is None or (isinstance(root, Scalar) and root.is_null):
        raise NotADocument(START, "The file is empty: a fleet file has hosts")
    if not isinstance(root, Mapped):
        raise NotADocument(root.place, f"A fleet file is a mapping, this is {root.name}")
    return root


def read_tree(text: str, faults: Faults, file: str = "", *, any_tag: bool = False) -> Node | None:
    """Read any YAML, None if empty. Raises NotADocument."""
    try:
        root = composed(text)
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise translated(exc, text) from exc
    return None if root is None else TreeBuilder(faults, file, any_tag=any_tag).tree(root)


class Bounded:
    """Limits depth, and sets tags only for null and explicit ones."""

    depth = 0

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return NULL_TAG if kind is yaml.ScalarNode and implicit[0] and value in NULLS else ""

    def descend_resolver(self, parent: Any, _: Any) -> None:
        self.depth += 1
        if self.depth > DEEPEST + 1:
            raise NotADocument(place_of(parent.start_mark), f"This is more than {DEEPEST} levels deep")

    def ascend_resolver(self) -> None:
        self.depth -= 1


class PurePythonLoader(Bounded, yaml.SafeLoader):
    """Allows redefined anchors, unlike PyYAML."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call] # types-PyYAML leaves it untyped
        if event.anchor and not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
        return super().compose_node(parent, index)


# Ten times as fast, but not always installed.
CSafeLoader: Any = getattr(yaml, "CSafeLoader", None)
FastLoader: Any = CSafeLoader and type("FastLoader", (Bounded, CSafeLoader), {})


def composed(text: str) -> Any:
    """Return PyYAML's node, None if empty. Raises YAMLError."""
    if FastLoader:
        try:
            return FastLoader(text).get_single_node()
        except yaml.composer.ComposerError as exc:
            if not (exc.context or "").startswith("found duplicate anchor"):
                raise
    return PurePythonLoader(text).get_single_node()


# Twice as fast as Place(), for tens of thousands of places.
new_place = functools.partial(tuple.__new__, Place)


class TreeBuilder:
    """Builds a tree from PyYAML's nodes; an alias is its anchor's node."""

    def __init__(self, faults: Faults, file: str, *, any_tag: bool) -> None:
        self.faults = faults
        self.file = file
        self.any_tag = any_tag
        # Lists and mappings by their node's id, None until complete.
        self.made: dict[int, Node | None] = {}

    def tree(self, node: Any) -> Node:
        mark = node.start_mark
        place = new_place((mark.line + 1, mark.column + 1, self.file))
        kind = type(node)
        if kind is yaml.ScalarNode:
            tag = node.tag
            if tag:
                self.check_tag(tag, place)
            return Scalar(place, node.value, tag == NULL_TAG, not node.style)
        known = self.made.get(id(node), self)
        if known is None:
            raise NotADocument(place, "This list or mapping contains itself by an alias", NOT_YAML)
        if not isinstance(known, TreeBuilder):
            return known
        if node.tag:
            self.check_tag(node.tag, place)
        self.made[id(node)] = None
        found = self.mapping(node, place) if kind is yaml.MappingNode else self.sequence(node, place)
        self.made[id(node)] = found
        return found

    def check_tag(self, tag: str, place: Place) -> None:
        if not self.any_tag and tag not in PLAIN_TAGS:
            shown = tag.replace(YAML_TAG, "!!")
            self.faults.add(place, f"The tag {shown} is not supported: write the value without it")

    def sequence(self, node: Any, place: Place) -> Listed:
        found = Listed(place)
        for each in node.value:
            item = self.tree(each)
            add_size(found, item.size, item.place)
            found.items.append(item)
        return found

    def mapping(self, node: Any, place: Place) -> Mapped:
        """A mapping's own keys win over those of `<<`."""
        found = Mapped(place)
        merged_at: Place | None = None
        for key, each in node.value:
            mark = key.start_mark
            at = new_place((mark.line + 1, mark.column + 1, self.file))
            value = self.tree(each)
            add_size(found, 1 + value.size, at)
            if type(key) is not yaml.ScalarNode:
                self.faults.add(at, f"A key is a text, this is {self.tree(key).name}")
                continue
            if key.tag:
                self.check_tag(key.tag, at)
            text = key.value
            if text == MERGE and not key.style:
                if merged_at:
                    self.faults.twice(at, text, merged_at)
                else:
                    merged_at = at
                    self.merge(found, at, value)
                continue
            before = found.entries.get(text)
            if before and not before.is_merged:
                self.faults.twice(at, text, before.place)
            else:
                found.entries[text] = MapEntry(at, value)
        return found

    def merge(self, into: Mapped, place: Place, value: Node) -> None:
        for each in value.items if isinstance(value, Listed) else [value]:
            if not isinstance(each, Mapped):
                self.faults.add(place, f"<< takes a mapping, or a list of them; this is {each.name}")
                continue
            for text, entry in each.entries.items():
                into.entries.setdefault(text, MapEntry(entry.place, entry.value, is_merged=True))


def add_size(into: Listed | Mapped, size: int, place: Place) -> None:
    into.size += size
    if into.size > MOST_NODES:
        raise NotADocument(place, f"Here the file has more than {MOST_NODES} values, aliases included")
