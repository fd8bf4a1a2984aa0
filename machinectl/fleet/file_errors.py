"""Collect a fleet file's errors."""

from __future__ import annotations

import functools
import operator
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import NO_HINT, Hint, MachineError, closest_match, one_line
from machinectl.fleet.hidden_values import Hidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


# Characters of a quoted text.
LONGEST_TEXT = 400
LONGEST_PATH = 4096
LOOK_UP = Hint("See what a fleet file may contain", "machinectl fleet schema")
# Comparisons of words per file, 10 µs each.
MOST_COMPARED = 50_000
# Errors per place: all hosts of a range share it.
MOST_AT_ONE_PLACE = 5
# Known names listed if none is similar.
FEW = 8


class Place(NamedTuple):
    """Line and column count from 1. `file` is an included file, or ""."""

    line: int = 1
    column: int = 1
    file: str = ""


START = Place()


class WrongFile(MachineError):
    """An invalid fleet file; the cause has a line for each error: file:line:column: text."""

    def __init__(self, cause: str, hint: Hint, faults: Sequence[tuple[Place, str]]) -> None:
        super().__init__(cause, hint)
        self.faults = faults


class Faults:
    """A file's errors, with the user's name for it. No text shows a `hidden` value."""

    def __init__(self, name: str, hidden: Hidden | None = None) -> None:
        self.name = name
        self.hidden = hidden or Hidden()
        self._compared = 0
        self._at: Counter[Place] = Counter()
        # What to do about each, NO_HINT for LOOK_UP.
        self._found: dict[tuple[Place, str], Hint] = {}

    def add(self, place: Place, text: str, hint: str = NO_HINT) -> None:
        """Add an error, once per place."""
        shown = one_line(self.hidden.without(text), LONGEST_TEXT)
        if (place, shown) not in self._found:
            self._at[place] += 1
        if self._at[place] <= MOST_AT_ONE_PLACE:
            self._found[place, shown] = hint if isinstance(hint, Hint) else Hint(hint)

    def meant(self, word: str, known: Iterable[str]) -> str:
        """Return the most similar word, "" if none, or after too many comparisons."""
        there = tuple(known)
        self._compared += len(there)
        return closest_match(word, there) if self._compared <= MOST_COMPARED else ""

    def unknown(self, place: Place, name: str, known: Iterable[str], what: str) -> None:
        """Add an unknown name, with a similar one."""
        there = tuple(known)
        # The option for a secret's file, or one without its first word.
        longer = [each for each in there if each == f"{name}-file" or each.endswith(f"-{name}")]
        near = longer[0] if len(longer) == 1 else self.meant(name, there)
        text = f"unknown {what} {name!r}"
        if near:
            text += f": did you mean {near}?"
        elif 0 < len(there) <= FEW:
            text += f" (known: {', '.join(there)})"
        self.add(place, text)

    def twice(self, place: Place, name: str, first: Place) -> None:
        self.add(place, f"{name!r} is defined twice: first in {self.where(first, place)}")

    def where(self, other: Place, place: Place) -> str:
        return f"line {other.line}" if other.file == place.file else f"{other.file or self.name}:{other.line}"

    def line(self, place: Place, text: str) -> str:
        """Return a line in the format that editors know."""
        # The name of an included file may contain anything.
        file = one_line(place.file or self.name, LONGEST_PATH)
        return f"{file}:{place.line}:{place.column}: {self.hidden.without(text)}"

    def tell(self) -> None:
        """Raise WrongFile if there are errors."""
        if self._found:
            raise self.wrong_file()

    def wrong_file(self) -> WrongFile:
        found = sorted(self._found, key=lambda each: (each[0].file, each))
        more = {place: count - MOST_AT_ONE_PLACE for place, count in self._at.items() if count > MOST_AT_ONE_PLACE}
        lines = [self.line(place, text) for place, text in found]
        lines += [self.line(place, f"{count} more of these") for place, count in sorted(more.items())]
        hints = dict.fromkeys(self._found[each] or LOOK_UP for each in found)
        cause = "\n".join([f"{self.name} has errors, and nothing was done:", *lines])
        return WrongFile(cause, functools.reduce(operator.or_, hints), found)
