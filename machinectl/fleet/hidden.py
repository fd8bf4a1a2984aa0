"""What a fleet's file gets from variables, which no line of `plan` and `apply` shows: it may be a secret.

A driver, the system or a host may put a value into an error of its own. So a value is replaced by what stands in the
file in whatever is printed, besides the places that know which key they are about.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

# In characters: shorter values are parts of many words. Where a key is known, they are not shown either.
SHORTEST = 4


class Hidden:
    """Values that are not shown, each with what is shown in its place."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str, shown: str) -> None:
        for form in forms(value):
            if len(form) >= SHORTEST and form not in self._shown:
                self._shown[form] = shown
                self._pattern = None

    def without(self, text: str) -> str:
        """Return a text with what is shown in the place of values."""
        if not self._shown:
            return text
        if self._pattern is None:
            longest_first = sorted(self._shown, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        return self._pattern.sub(lambda found: self._shown[found[0]], text)

    def conceal(self, error: BaseException) -> None:
        """Take the values out of an error's texts."""
        if isinstance(error, MachineError):
            error.cause, error.hint = self.without(error.cause), self.without(error.hint)
            error.args = (error.cause,)


def forms(value: str) -> Iterator[str]:
    """Yield the forms that a value has in messages: as it is, quoted, on one line, and as a path."""
    quoted = shlex.quote(value).removeprefix("'").removesuffix("'")
    yield from (value, repr(value)[1:-1], quoted, " ".join(value.split()), os.path.normpath(value))
