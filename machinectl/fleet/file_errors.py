"""Collect a fleet file's errors, with line and column, and without values of variables."""

from __future__ import annotations

import functools
import operator
import os
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import CUT, NO_HINT, Hint, MachineError, closest_match, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
