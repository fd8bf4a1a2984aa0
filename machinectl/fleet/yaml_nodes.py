"""Read YAML as PyYAML's nodes, which have places and the texts that were typed, and collect a file's errors.

No error shows the value of a variable. Format: https://yaml.org/spec/1.1/, https://yaml.org/type/merge.html.
"""

from __future__ import annotations

import functools
import io
import operator
import os
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from machinectl.errors import CUT, NO_HINT, Hint, MachineError, closest_match, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    Node: TypeAlias = yaml.Node
    Entries: TypeAlias = dict[str, "MapEntry"]

# Bytes: 10,000 hosts of 200 fit.
LONGEST_FILE = 8 << 20
# Fleet files have five levels; PyYAML fails much deeper.
DEEPEST = 50
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
NULL_TAG = "tag:yaml.org,2002:null"
MERGE = "<<"
NOT_YAML = "This is not YAML"
# PyYAML often reports the line after the error.
HOW_TO_WRITE = Hint(
    "Look at the line before, too: indent all entries of a block by the same number of spaces, write a space after "
    "each colon, and quote a text with { or [ in it"
)
KINDS = {"scalar": "a text", "sequence": "a list", "mapping": "a mapping"}
# Characters of a quoted text, and of a file's name.
LONGEST_TEXT = 400
LONGEST_PATH = 4096
LOOK_UP = Hint("See what a fleet file may contain", "machinectl fleet schema")
# Errors shown: all hosts of a range may have one.
MOST_SHOWN = 100
# Known names listed if none is similar.
FEW = 8
# Characters. Shorter hidden values are parts of many words: hidden only if the key is known.
SHORTEST = 4


class Place(NamedTuple):
    """Line and column count from 1. `file` is an included file, or ""."""

    line: int = 1
    column: int = 1
    file: str = ""


START = Place()


class Wrong(Exception):
    """An error at a place of a file."""

    def __init__(self, place: Place, why: str) -> None:
        super().__init__(why)
        self.place = place
        self.why = why


class WrongFile(MachineError):
    """An invalid fleet file; the cause has a line for each error: file:line:column: text."""

    def __init__(self, cause: str, hint: Hint, faults: Sequence[tuple[Place, str]]) -> None:
        super().__init__(cause, hint)
        self.faults = faults


class Hidden:
    """Values of environment variables, which may be secrets, with the texts to show for them."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str, shown: str) -> None:
        for form in forms(value):
            if len(form) >= SHORTEST and form not in self._shown:
                self._shown[form] = shown
                self._pattern = None

    def without(self, text: str) -> str:
        if not self._shown:
            return text
        if self._pattern is None:
            longest_first = sorted(self._shown, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        *cut, end = self._pattern.sub(lambda match: self._shown[match[0]], text).split(CUT)
        return "".join(self._without_beginning(part) + CUT for part in cut) + end

    def _without_beginning(self, text: str) -> str:
        """Hide the beginning of a value where a text was cut off."""
        for form, shown in self._shown.items():
            for match in re.finditer(re.escape(form[:SHORTEST]), text):
                if form.startswith(text[match.start() :]):
                    return text[: match.start()] + shown
        return text

    def is_in(self, text: str) -> bool:
        return self.without(text) != text

    def conceal(self, error: BaseException) -> None:
        if isinstance(error, MachineError):
            # A guess would show something like the hidden value.
            error.hint = NO_HINT if error.guesses and self.is_in(error.cause) else error.hint.rewritten(self.without)
            error.cause = self.without(error.cause)
            error.args = (error.cause,)


def forms(value: str) -> Iterator[str]:
    """Yield a value as messages may show it: plain, quoted, on one line, as a path."""
    quoted = shlex.quote(value).removeprefix("'").removesuffix("'")
    yield from (value, repr(value)[1:-1], quoted, " ".join(value.split()), os.path.normpath(value))


class Faults:
    """A file's errors, with the user's name for it. No text shows a `hidden` value."""

    def __init__(self, name: str, hidden: Hidden | None = None) -> None:
        self.name = name
        self.hidden = hidden or Hidden()
        self._hints: dict[tuple[Place, str], Hint] = {}

    def add(self, place: Place, text: str, hint: str = NO_HINT) -> None:
        """Add an error, once per place."""
        error = place, one_line(self.hidden.without(text), LONGEST_TEXT)
        self._hints.setdefault(error, hint if isinstance(hint, Hint) and hint else LOOK_UP)

    def unknown(self, place: Place, name: str, known: Iterable[str], what: str) -> None:
        """Add an unknown name, with a similar one."""
        names = tuple(known)
        text = f"unknown {what} {name!r}"
        if near := closest_match(name, names):
            text += f": did you mean {near}?"
        elif 0 < len(names) <= FEW:
            text += f" (known: {', '.join(names)})"
        self.add(place, text)

    def twice(self, place: Place, name: str, first: Place) -> None:
        is_same_file = first.file == place.file
        where = f"line {first.line}" if is_same_file else f"{first.file or self.name}:{first.line}"
        self.add(place, f"{name!r} is defined twice: first in {where}")

    def tell(self) -> None:
        """Raise WrongFile if there are errors."""
        if self._hints:
            raise self.wrong_file()

    def wrong_file(self) -> WrongFile:
        """Return all errors in lines that editors know."""
        lines = [f"{self.name} has errors, and nothing was done:"]
        errors = sorted(self._hints, key=lambda error: (error[0].file, error))
        for place, text in errors[:MOST_SHOWN]:
            # The name of an included file may contain anything.
            file = one_line(place.file or self.name, LONGEST_PATH)
            lines.append(f"{file}:{place.line}:{place.column}: {text}")
        if len(errors) > MOST_SHOWN:
            lines.append(f"… and {len(errors) - MOST_SHOWN} more")
        hints = dict.fromkeys(self._hints[error] for error in errors)
        return WrongFile("\n".join(lines), functools.reduce(operator.or_, hints), errors)


class MapEntry(NamedTuple):
    key: yaml.ScalarNode
    value: Node


class NotYaml(Wrong):
    """PyYAML's error, which may quote the file."""


class FileText(io.StringIO):
    """A file's text; PyYAML puts the `name` into the marks."""

    name = ""


def place(node: Node) -> Place:
    return place_of(node.start_mark)


def place_of(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1, mark.name)


def kind_of(node: Node) -> str:
    return KINDS[node.id]  # type: ignore[attr-defined] # types-PyYAML lacks it


def is_null(node: Node) -> bool:
    return node.tag == NULL_TAG


def entries_of(node: Node) -> Entries:
    """Return the entries of a mapping that was checked, none for other nodes."""
    return node.value if isinstance(node, yaml.MappingNode) else {}


def items_of(node: Node) -> list[Node]:
    """Return a list's items; any other node is a list of one."""
    return node.value if isinstance(node, yaml.SequenceNode) else [node]


def inner_nodes(node: Node) -> list[Node]:
    if isinstance(node, yaml.MappingNode):
        return [entry.value for entry in entries_of(node).values()]
    return items_of(node) if isinstance(node, yaml.SequenceNode) else []


def made_text(text: str, like: Node) -> yaml.ScalarNode:
    """Return a node for a text that no file holds, at the place of another."""
    return yaml.ScalarNode("", text, like.start_mark)


def made_mapping(entries: Entries, like: Node) -> yaml.MappingNode:
    return yaml.MappingNode("", entries, like.start_mark)


def read_mapping(data: bytes, faults: Faults, file: str = "") -> yaml.MappingNode:
    """Read a mapping. `file` names an included file, which no error quotes. Adds errors. Raises WrongFile."""
    try:
        root = composed(decoded(data), file)
        Checker(faults).check(root)
    except Wrong as wrong:
        is_syntax = isinstance(wrong, NotYaml)
        why = NOT_YAML if is_syntax and file else wrong.why
        faults.add(wrong.place._replace(file=file), why, HOW_TO_WRITE if is_syntax else NO_HINT)
        raise faults.wrong_file() from wrong
    if isinstance(root, yaml.MappingNode):
        return root
    empty = "The file is empty: a fleet file has hosts"
    faults.add(place(root), empty if is_null(root) else f"A fleet file is a mapping, this is {kind_of(root)}")
    raise faults.wrong_file()


def decoded(data: bytes) -> str:
    if len(data) > LONGEST_FILE:
        raise Wrong(START, f"The file has more than {LONGEST_FILE >> 20} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise Wrong(Place(line), "This is not UTF-8: save the file as UTF-8") from exc


class Bounded:
    """Limits depth, and sets tags only for null and explicit ones."""

    depth = 0

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return NULL_TAG if kind is yaml.ScalarNode and implicit[0] and value in NULLS else ""

    def descend_resolver(self, parent: Any, _: Any) -> None:
        self.depth += 1
        if self.depth > DEEPEST + 1:
            raise Wrong(place_of(parent.start_mark), f"This is more than {DEEPEST} levels deep")

    def ascend_resolver(self) -> None:
        self.depth -= 1


# PyYAML's parser in C is ten times as fast, but not always installed.
LOADER: Any = type("Loader", (Bounded, getattr(yaml, "CSafeLoader", yaml.SafeLoader)), {})


def composed(text: str, file: str) -> Node:
    """Return PyYAML's node. Raises Wrong."""
    stream = FileText(text)
    stream.name = file
    try:
        node: Node | None = LOADER(stream).get_single_node()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        why = " ".join(filter(None, (exc.context, exc.problem)))
        raise NotYaml(place_of(mark) if mark else START, f"{NOT_YAML}: {why}") from exc
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        # Such as a control character: PyYAML's two parsers report different positions.
        why = getattr(exc, "reason", "") or "it is nested too deeply"
        raise NotYaml(START, f"{NOT_YAML}: {why}") from exc
    return node or yaml.ScalarNode(NULL_TAG, "", yaml.Mark(file, 0, 0, 0, None, 0))


class Checker:
    """Checks nodes. Each mapping's value becomes a dict of its entries, those of `<<` included."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        # By the node's id, False while it is being checked.
        self.is_checked: dict[int, bool] = {}

    def check(self, node: Node) -> None:
        if node.tag and not is_null(node):
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self.faults.add(place(node), f"The tag {tag} is not supported: write the value without it")
        if isinstance(node, yaml.ScalarNode) or self.is_checked.get(id(node)):
            return
        if id(node) in self.is_checked:
            raise Wrong(place(node), "This list or mapping contains itself by an alias")
        self.is_checked[id(node)] = False
        is_mapping = isinstance(node, yaml.MappingNode)
        for inner in [inner for pair in node.value for inner in pair] if is_mapping else node.value:
            self.check(inner)
        if is_mapping:
            node.value = self.entries(node.value)
        self.is_checked[id(node)] = True

    def entries(self, pairs: list[tuple[Node, Node]]) -> Entries:
        """A mapping's own keys win over those of `<<`."""
        entries: Entries = {}
        merge: MapEntry | None = None
        for key, value in pairs:
            if not isinstance(key, yaml.ScalarNode):
                self.faults.add(place(key), f"A key is a text, this is {kind_of(key)}")
                continue
            is_merge = key.value == MERGE and not key.style
            before = merge if is_merge else entries.get(key.value)
            if before:
                self.faults.twice(place(key), key.value, place(before.key))
            elif is_merge:
                merge = MapEntry(key, value)
            else:
                entries[key.value] = MapEntry(key, value)
        for node in items_of(merge.value) if merge else ():
            if isinstance(node, yaml.MappingNode):
                entries = {**entries_of(node), **entries}
            elif merge:
                self.faults.add(place(merge.key), f"<< takes a mapping, or a list of them; this is {kind_of(node)}")
        return entries
