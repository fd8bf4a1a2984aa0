"""Read YAML as PyYAML's nodes: they have their places, and scalars stay the texts that were typed.

Format: https://yaml.org/spec/1.1/, https://yaml.org/type/merge.html.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from machinectl.errors import NO_HINT, Hint
from machinectl.fleet.file_errors import START, Faults, Place
from machinectl.fleet.yaml_errors import NOT_YAML, NotADocument, NotYAML, decoded, place_of, translated

if TYPE_CHECKING:
    from typing import TypeAlias

    Node: TypeAlias = yaml.Node
    Entries: TypeAlias = dict[str, "MapEntry"]

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
LOOK_BEFORE = Hint(
    "Look at the line before, too: indent all entries of a block by the same number of spaces, "
    "and write a space after each colon"
)
KINDS = {"scalar": "a text", "sequence": "a list", "mapping": "a mapping"}


class MapEntry(NamedTuple):
    key: yaml.ScalarNode
    value: Node


class Text(io.StringIO):
    """A file's text; PyYAML puts the `name` into the marks."""

    name = ""


def place(node: Node) -> Place:
    return place_of(node.start_mark)


def kind_of(node: Node) -> str:
    return KINDS[node.id]  # type: ignore[attr-defined] # types-PyYAML lacks it


def is_null(node: Node) -> bool:
    return node.tag == NULL_TAG


def entries_of(node: yaml.MappingNode) -> Entries:
    """Return the entries of a mapping that was checked."""
    found: Entries = node.value
    return found


def items_of(node: Node) -> list[Node]:
    """Return a list's items; any other node is a list of one."""
    return node.value if isinstance(node, yaml.SequenceNode) else [node]


def made_text(text: str, like: Node) -> yaml.ScalarNode:
    """Return a node for a text that no file holds, at the place of another."""
    return yaml.ScalarNode("", text, like.start_mark)


def made_mapping(entries: Entries, like: Node) -> yaml.MappingNode:
    return yaml.MappingNode("", entries, like.start_mark)


def read_mapping(data: bytes, faults: Faults, file: str = "") -> yaml.MappingNode:
    """Read a mapping. `file` names an included file. Adds errors. Raises WrongFile."""
    try:
        return checked_mapping(decoded(data), faults, file)
    except NotADocument as wrong:
        hint = LOOK_BEFORE if isinstance(wrong, NotYAML) else NO_HINT
        faults.add(wrong.place._replace(file=file), wrong.unquoted if file else wrong.why, hint)
        raise faults.wrong_file() from wrong


def checked_mapping(text: str, faults: Faults, file: str) -> yaml.MappingNode:
    """Raise NotADocument."""
    try:
        root = composed(text, file)
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise translated(exc, text) from exc
    if root is None or is_null(root):
        raise NotADocument(START, "The file is empty: a fleet file has hosts")
    Checker(faults).size(root)
    if not isinstance(root, yaml.MappingNode):
        raise NotADocument(place(root), f"A fleet file is a mapping, this is {kind_of(root)}")
    return root


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


def composed(text: str, file: str = "") -> Node | None:
    """Return PyYAML's node, None if empty. Raises YAMLError."""
    stream = Text(text)
    stream.name = file
    if FastLoader:
        try:
            return FastLoader(stream).get_single_node()  # type: ignore[no-any-return] # types-PyYAML does not know it
        except yaml.composer.ComposerError as exc:
            if not (exc.context or "").startswith("found duplicate anchor"):
                raise
            stream.seek(0)
    return PurePythonLoader(stream).get_single_node()


class Checker:
    """Checks nodes. Each mapping's value becomes a dict of its entries, those of `<<` included."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        # By the node's id, 0 while it is being checked.
        self.sizes: dict[int, int] = {}

    def size(self, node: Node) -> int:
        """Check a node; return how many nodes it stands for."""
        if node.tag and node.tag not in PLAIN_TAGS:
            tag = node.tag.replace(YAML_TAG, "!!")
            self.faults.add(place(node), f"The tag {tag} is not supported: write the value without it")
        if isinstance(node, yaml.ScalarNode):
            return 1
        size = self.sizes.get(id(node))
        if size == 0:
            raise NotADocument(place(node), "This list or mapping contains itself by an alias", NOT_YAML)
        if size is None:
            self.sizes[id(node)], size = 0, 1
            is_mapping = isinstance(node, yaml.MappingNode)
            for each in [each for pair in node.value for each in pair] if is_mapping else node.value:
                size += self.size(each)
                if size > MOST_NODES:
                    why = f"Here the file has more than {MOST_NODES} values, aliases included"
                    raise NotADocument(place(each), why)
            if is_mapping:
                node.value = self.entries(node.value)
            self.sizes[id(node)] = size
        return size

    def entries(self, pairs: list[tuple[Node, Node]]) -> Entries:
        """A mapping's own keys win over those of `<<`."""
        found: Entries = {}
        merge: MapEntry | None = None
        for key, value in pairs:
            if not isinstance(key, yaml.ScalarNode):
                self.faults.add(place(key), f"A key is a text, this is {kind_of(key)}")
                continue
            is_merge = key.value == MERGE and not key.style
            before = merge if is_merge else found.get(key.value)
            if before:
                self.faults.twice(place(key), key.value, place(before.key))
            elif is_merge:
                merge = MapEntry(key, value)
            else:
                found[key.value] = MapEntry(key, value)
        for each in items_of(merge.value) if merge else ():
            if isinstance(each, yaml.MappingNode):
                found = {**entries_of(each), **found}
            elif merge:
                self.faults.add(place(merge.key), f"<< takes a mapping, or a list of them; this is {kind_of(each)}")
        return found
