"""What is wrong with a fleet's file: gathered while it is read, and told in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import MachineError, one_line

if TYPE_CHECKING:
    from machinectl.fleet.model import Place

# In characters: a line says what is wrong, and never all of a text that somebody put there.
LONGEST_TEXT = 400
LOOK_UP = "What it may say: machinectl fleet schema"


class WrongFile(MachineError):
    """A fleet's file that is not right. After its first line its cause has one a fault: file:line:column: text."""


class Faults:
    """What is wrong with one file, which is called `name` as the user called it."""

    def __init__(self, name: str) -> None:
        self.name = name
        # What to do about it, "" where that is to look up what a file may say.
        self._found: dict[tuple[Place, str], str] = {}

    def add(self, place: Place, text: str, hint: str = "") -> None:
        """Note what is wrong at a place; the same at the same place is one thing."""
        self._found[place, one_line(text, LONGEST_TEXT)] = hint

    def line(self, place: Place, text: str) -> str:
        """A line about a place in the file, of the form that editors jump by."""
        return f"{self.name}:{place.line}:{place.column}: {text}"

    def tell(self) -> None:
        """Raise WrongFile where anything was found."""
        if self._found:
            lines = [self.line(place, text) for place, text in sorted(self._found)]
            hints = dict.fromkeys(self._found[each] or LOOK_UP for each in sorted(self._found))
            raise WrongFile("\n".join([f"{self.name} is not right, and nothing was done:", *lines]), "\n".join(hints))
