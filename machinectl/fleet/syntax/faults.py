"""What is wrong with a fleet's file: gathered while it is read, and told in one go."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import MachineError, closest_match, one_line
from machinectl.fleet.syntax.hidden_values import Hidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


# In characters: a line says what is wrong, and never all of a text that somebody put there.
LONGEST_TEXT = 400
LONGEST_PATH = 4096
LOOK_UP = "What it may say: machinectl fleet schema"
# How many pairs of words are compared for one file, each in some 10 µs: where more is wrong, it is not a typing error.
MOST_COMPARED = 50_000
# How many faults are printed for one place: all hosts of a range have the same.
MOST_AT_ONE_PLACE = 5
# How many names are told of where none is near.
FEW = 8


class Place(NamedTuple):
    """Where something stands; line and column count from 1. `file` is an included one, "" the fleet's file itself."""

    line: int = 1
    column: int = 1
    file: str = ""


START = Place()


class WrongFile(MachineError):
    """A fleet's file that is not right. After its first line its cause has one a fault: file:line:column: text.

    `faults` are the same with their places, in their order.
    """

    def __init__(self, cause: str, hint: str, faults: Sequence[tuple[Place, str]]) -> None:
        super().__init__(cause, hint)
        self.faults = faults


class Faults:
    """The errors in one file, with the `name` that the user typed for it. No text shows a `hidden` value."""

    def __init__(self, name: str, hidden: Hidden | None = None) -> None:
        self.name = name
        self.hidden = hidden or Hidden()
        self._compared = 0
        self._at: Counter[Place] = Counter()
        # What to do about it, "" where that is to look up what a file may say.
        self._found: dict[tuple[Place, str], str] = {}

    def add(self, place: Place, text: str, hint: str = "") -> None:
        """Note what is wrong at a place; the same at the same place is one thing."""
        shown = one_line(self.hidden.without(text), LONGEST_TEXT)
        if (place, shown) not in self._found:
            self._at[place] += 1
        if self._at[place] <= MOST_AT_ONE_PLACE:
            self._found[place, shown] = self.hidden.without(hint)

    def meant(self, word: str, known: Iterable[str]) -> str:
        """What was meant by a word that there is not; "" where nothing is near, or too much was asked."""
        there = tuple(known)
        self._compared += len(there)
        return closest_match(word, there) if self._compared <= MOST_COMPARED else ""

    def unknown(self, place: Place, name: str, known: Iterable[str], what: str) -> None:
        """Note a name that there is not, with the nearest right one."""
        there = tuple(known)
        # A secret's file, or an option without what it is of.
        longer = [each for each in there if each == f"{name}-file" or each.endswith(f"-{name}")]
        near = longer[0] if len(longer) == 1 else self.meant(name, there)
        text = f"{name!r} is no {what}"
        if near:
            text += f": did you mean {near}?"
        elif 0 < len(there) <= FEW:
            text += f": there are {', '.join(there)}"
        self.add(place, text)

    def twice(self, place: Place, name: str, first: Place) -> None:
        """Note a name that is given for the second time."""
        self.add(place, f"{name!r} is defined twice: first in {self.where(first, place)}")

    def where(self, other: Place, place: Place) -> str:
        """Return where another place is, told at a place."""
        return f"line {other.line}" if other.file == place.file else f"{other.file or self.name}:{other.line}"

    def line(self, place: Place, text: str) -> str:
        """A line about a place in the file, of the form that editors jump by."""
        # An included file may be called anything.
        file = one_line(place.file or self.name, LONGEST_PATH)
        return f"{file}:{place.line}:{place.column}: {self.hidden.without(text)}"

    def tell(self) -> None:
        """Raise WrongFile where anything was found."""
        if self._found:
            raise self.wrong_file()

    def wrong_file(self) -> WrongFile:
        """What was found so far, as an error."""
        found = sorted(self._found, key=lambda each: (each[0].file, each))
        more = {place: count - MOST_AT_ONE_PLACE for place, count in self._at.items() if count > MOST_AT_ONE_PLACE}
        lines = [self.line(place, text) for place, text in found]
        lines += [self.line(place, f"{count} more like these") for place, count in sorted(more.items())]
        hints = dict.fromkeys(self._found[each] or LOOK_UP for each in found)
        cause = "\n".join([f"{self.name} is not right, and nothing was done:", *lines])
        return WrongFile(cause, "\n".join(hints), found)
