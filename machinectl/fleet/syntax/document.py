"""YAML as a fleet's file has it: a tree of texts, each with its place.

The tree is made of the parser's events, so that nothing in a file makes objects, nor goes deeper than is allowed: what
YAML takes for a number, a date or a truth value is the text that was typed. Anchors, aliases and `<<` are resolved. The
format: https://yaml.org/spec/1.1/, and https://yaml.org/type/merge.html.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from machinectl.fleet.syntax.faults import START, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.fleet.syntax.faults import Faults

# In bytes. A host takes some 200; a fleet of 10,000 has room.
LONGEST_FILE = 8 << 20
# How many texts, lists and mappings a file may be, each alias counted as all that it stands for.
MOST_NODES = 1_000_000
# The meaning of a file ends at the fifth level; where the parser itself gives up is beyond.
DEEPEST = 50
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
# What YAML gives its own plain values: a text says the same without.
PLAIN_TAGS = frozenset(
    {None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map"))}
)
NOT_YAML = "This is not YAML"
NEEDS_QUOTES = "needs quotes"
# What a person looks for where the parser gives up, which is often behind the fault.
LOOK = (
    "Look at the line before, too: blanks indent, as many for all that stands side by side, "
    "and behind each colon is a blank"
)
# The parts of a text before a [ and from the [ on.
BEFORE_BRACKET = re.compile(r"[^\s,{}\[\]\"']+$")
FROM_BRACKET = re.compile(r"\[[^\s,{}\[\]]*\][^\s,{}\[\]]*")
NULL_TAG = "tag:yaml.org,2002:null"
MERGE = "<<"


@dataclass(slots=True, eq=False)
class Text:
    """A scalar as it was typed; `is_null` is whether nothing stands there, or YAML's word for it."""

    place: Place
    text: str
    is_null: bool = False
    is_plain: bool = False
    size: int = 1
    name = "a text"


@dataclass(slots=True, eq=False)
class Listed:
    """A list."""

    place: Place
    items: list[Node] = field(default_factory=list)
    size: int = 1
    name = "a list"


@dataclass(slots=True, eq=False)
class Mapped:
    """A mapping: by its key, where that stands and what it is given. `size` counts all that is in it."""

    place: Place
    entries: dict[str, Entry] = field(default_factory=dict)
    size: int = 1
    name = "a mapping"


@dataclass(slots=True, eq=False)
class Entry:
    """A key of a mapping, by its place, and its value; `is_merged` where `<<` brought it.

    `member` is the host's name if the key is a range of hosts.
    """

    place: Place
    value: Node
    is_merged: bool = False
    member: Text | None = None


Node = Text | Listed | Mapped


class NotADocument(Exception):
    """What ends the reading of a file at a place: it is no YAML that a fleet's file may be."""

    def __init__(self, place: Place, why: str, unquoted: str = "") -> None:
        super().__init__(why)
        self.place = place
        self.why = why
        # The same without quoting the file: other files than the fleet's own may hold secrets.
        self.unquoted = unquoted or why


def read(data: bytes, faults: Faults, file: str = "") -> Mapped:
    """Return the mapping that a file holds. Raises WrongFile if it holds none. `file` is an included file's name.

    What is wrong in it but leaves it a mapping (a key that is there twice) is noted among the `faults`.
    """
    try:
        text = decoded(data)
        return Builder(faults, file).built(events(text))
    except NotADocument as wrong:
        hint = LOOK if wrong.why.startswith(NOT_YAML) else ""
        faults.add(wrong.place._replace(file=file), wrong.unquoted if file else wrong.why, hint)
        raise faults.wrong_file() from wrong


def decoded(data: bytes) -> str:
    if len(data) > LONGEST_FILE:
        raise NotADocument(START, f"The file has more than {LONGEST_FILE >> 20} MB: that is no fleet's file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = data[: exc.start].decode("utf-8-sig", "replace")
        raise NotADocument(place_after(before), "This is not UTF-8: save the file as UTF-8") from exc
    if "\0" in text:
        raise NotADocument(place_after(text.partition("\0")[0]), "Here is a NUL: a file of text has none")
    return text


def place_after(text: str) -> Place:
    """The place of what follows a text, which begins the file."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return Place(len(lines), len(lines[-1]) + 1)


# Tens of thousands are made of a large file, each in half the time that a call of Place takes.
new_place = functools.partial(tuple.__new__, Place)


def place_of(mark: Any, file: str = "") -> Place:
    return Place(mark.line + 1, mark.column + 1, file)


def events(text: str) -> Iterator[Any]:
    """What the parser finds in a text. Raises NotADocument where it is no YAML."""
    # The parser in C is ten times as fast; not every installation of PyYAML has it. Both tell the same places.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # As yaml.parse does, without a look ahead at each event.
        parser = loader(text)
        following = parser.get_event
        try:
            last = yaml.StreamEndEvent
            while type(event := following()) is not last:
                yield event
        finally:
            parser.dispose()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        why = why_not_yaml(exc, text)
        unquoted = why.partition(': "')[0] if NEEDS_QUOTES in why else NOT_YAML
        raise NotADocument(place_of(mark) if mark else START, why, unquoted) from exc
    except yaml.YAMLError as exc:
        # The reader's: a character that YAML lets in nowhere. Its position is not the same in both parsers.
        position = next((at for at, letter in enumerate(text) if not is_allowed(letter)), 0)
        raise NotADocument(
            place_after(text[:position]), f"YAML has no such character: {text[position : position + 1]!r}"
        ) from exc
    except (RecursionError, ValueError) as exc:
        raise NotADocument(START, NOT_YAML) from exc


def is_allowed(letter: str) -> bool:
    """Whether YAML has a character: https://yaml.org/spec/1.1/#c-printable."""
    return letter in "\t\n\r\x85" or " " <= letter <= "~" or (letter >= "\xa0" and letter not in "\ufffe\uffff")


def why_not_yaml(exc: yaml.MarkedYAMLError, text: str) -> str:
    if is_bare_reference(exc.problem_mark, text):
        return f'{NOT_YAML}: within {{ }} and [ ] a text with ${{…}} in it {NEEDS_QUOTES}: "${{…}}"'
    if bracketed := bare_bracket(exc.problem_mark, text):
        return f'{NOT_YAML}: within {{ }} and [ ] a text with [ in it {NEEDS_QUOTES}: "{bracketed}"'
    if letter_at(exc.problem_mark, text) == "\t":
        return f"{NOT_YAML}: here is a tab, and only blanks indent"
    problem = " ".join(part for part in (exc.context, exc.problem) if part)
    return f"{NOT_YAML}: {problem}"


def letter_at(mark: yaml.Mark | None, text: str) -> str:
    """The character at which the parser fell over, "" where that is a line's end."""
    lines = text.splitlines()
    return lines[mark.line][mark.column : mark.column + 1] if mark and mark.line < len(lines) else ""


def is_bare_reference(mark: yaml.Mark | None, text: str) -> bool:
    """Whether the parser fell over the brace of a ${…} that stands without quotes in flow style."""
    lines = text.splitlines()
    if mark is None or mark.line >= len(lines):
        return False
    line = lines[mark.line]
    return line[: mark.column + 1].endswith("${")


def bare_bracket(mark: yaml.Mark | None, text: str) -> str:
    """The text without quotes in flow style over whose [ the parser fell, "" if it is something else."""
    if letter_at(mark, text) != "[" or mark is None:
        return ""
    line = text.splitlines()[mark.line]
    before, after = BEFORE_BRACKET.search(line[: mark.column]), FROM_BRACKET.match(line[mark.column :])
    return f"{before[0]}{after[0]}".removesuffix(":") if before and after else ""


class Builder:
    """Makes a tree of a parser's events."""

    def __init__(self, faults: Faults, file: str = "") -> None:
        self.faults = faults
        self.file = file
        self.anchors: dict[str, Node] = {}
        # Those that are not at their end yet, and what begins there.
        self.open: list[Open] = []
        self.root: Node | None = None
        self.documents = 0

    def built(self, found: Iterator[Any]) -> Mapped:
        self.take_all(found)
        if self.root is None or (isinstance(self.root, Text) and self.root.is_null):
            raise NotADocument(START, "The file is empty: a fleet's file has hosts")
        if not isinstance(self.root, Mapped):
            raise NotADocument(self.root.place, f"A fleet's file is a mapping, this is {self.root.name}")
        return self.root

    def take_all(self, found: Iterator[Any]) -> None:
        take: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self.take_scalar,
            yaml.MappingStartEvent: self.begin,
            yaml.SequenceStartEvent: self.begin,
            yaml.MappingEndEvent: self.end,
            yaml.SequenceEndEvent: self.end,
            yaml.AliasEvent: self.take_alias,
            yaml.DocumentStartEvent: self.begin_document,
        }
        for event in found:
            if taking := take.get(type(event)):
                taking(event)

    def take_scalar(self, event: Any) -> None:
        mark, tag, text = event.start_mark, event.tag, event.value
        place = new_place((mark.line + 1, mark.column + 1, self.file))
        if tag is not None:
            self.check_tag(tag, place)
        into = self.open[-1] if self.open else None
        if into and into.key is None and into.is_mapping and not event.anchor:
            # A key without a node of its own: half of what a file holds are keys.
            self.count(into, 1, place)
            into.key = place, text, text == MERGE and not event.style
            return
        is_null = tag == NULL_TAG or (tag is None and text in NULLS and event.implicit[0])
        node = Text(place, text, is_null, not event.style)
        if event.anchor:
            self.anchors[event.anchor] = node
        self.add(node)

    def begin(self, event: Any) -> None:
        mark, tag = event.start_mark, event.tag
        place = new_place((mark.line + 1, mark.column + 1, self.file))
        if tag is not None:
            self.check_tag(tag, place)
        if len(self.open) >= DEEPEST:
            raise NotADocument(place, f"This is more than {DEEPEST} levels deep: no fleet's file is")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        container = Mapped(place) if is_mapping else Listed(place)
        if event.anchor:
            self.anchors[event.anchor] = container
        self.open.append(Open(container, is_mapping))

    def end(self, _: Any) -> None:
        self.add(self.open.pop().node)

    def take_alias(self, event: Any) -> None:
        place = place_of(event.start_mark, self.file)
        self.add(self.meant_by(str(event.anchor), place), place)

    def begin_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise NotADocument(place_of(event.start_mark), "Here begins another document: a fleet's file is one")

    def check_tag(self, tag: str | None, place: Place) -> None:
        if tag not in PLAIN_TAGS:
            self.faults.add(place, f"The tag {shown_tag(str(tag))} is not taken here: write the value without it")

    def meant_by(self, anchor: str, place: Place) -> Node:
        node = self.anchors.get(anchor)
        if node is None:
            raise NotADocument(place, f"There is no &{anchor} before this *{anchor}", NOT_YAML)
        if any(node is each.node for each in self.open):
            raise NotADocument(place, f"*{anchor} contains itself", NOT_YAML)
        return node

    def add(self, node: Node, place: Place | None = None) -> None:
        """Put a node that is whole where it belongs; `place` is the alias that stands for it."""
        if not self.open:
            self.root = node
            return
        into = self.open[-1]
        self.count(into, node.size, place or node.place)
        if isinstance(into.node, Listed):
            into.node.items.append(node)
        elif into.key is None:
            into.key = self.key(node, place)
        else:
            self.give(into, into.node, into.key, node)
            into.key = None

    def count(self, into: Open, size: int, place: Place) -> None:
        into.node.size += size
        if into.node.size > MOST_NODES:
            raise NotADocument(place, f"Here the file comes to more than {MOST_NODES} values: no fleet's file does")

    def key(self, node: Node, place: Place | None) -> Key:
        place = place or node.place
        if not isinstance(node, Text):
            self.faults.add(place, f"A key is a text, this is {node.name}")
            # It takes the value that follows, and nobody asks for it.
            return place, "", False
        return place, node.text, node.is_plain and node.text == MERGE

    def give(self, into: Open, node: Mapped, key: Key, value: Node) -> None:
        """Give a mapping a value under its key; what `<<` brings gives way to what the mapping says itself."""
        place, text, is_merge = key
        before = into.merged if is_merge else node.entries.get(text)
        if before and not before.is_merged:
            self.faults.twice(place, text, before.place)
        elif is_merge:
            into.merged = Entry(place, value)
            self.merge(node, place, value)
        else:
            node.entries[text] = Entry(place, value)

    def merge(self, node: Mapped, place: Place, value: Node) -> None:
        for each in value.items if isinstance(value, Listed) else [value]:
            if not isinstance(each, Mapped):
                self.faults.add(place, f"<< takes a mapping, or a list of them; this is {each.name}")
                continue
            for text, entry in each.entries.items():
                node.entries.setdefault(text, Entry(entry.place, entry.value, is_merged=True))


# A key whose value is yet to come: its place, its text, and whether it is `<<`.
Key = tuple[Place, str, bool]


@dataclass(slots=True)
class Open:
    """A list or a mapping that is not at its end; `key` waits for its value, and `merged` is what `<<` has."""

    node: Listed | Mapped
    is_mapping: bool
    key: Key | None = None
    merged: Entry | None = None


def shown_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")
