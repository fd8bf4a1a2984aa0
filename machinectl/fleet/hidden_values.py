"""Show `${NAME}` for values of variables in all output: they may be secrets."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from machinectl.errors import CUT, NO_HINT, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Characters. Shorter values are parts of many words: hidden only if the key is known.
SHORTEST = 4


class Hidden:
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
        return self._without_beginnings(self._pattern.sub(lambda found: self._shown[found[0]], text))

    def _without_beginnings(self, text: str) -> str:
        whole, *rest = text.split(CUT)
        for part in rest:
            for form, shown in self._shown.items():
                beginnings = (at.start() for at in re.finditer(re.escape(form[:SHORTEST]), whole))
                at = next((at for at in beginnings if form.startswith(whole[at:])), -1)
                if at >= 0:
                    whole = whole[:at] + shown
                    break
            whole += CUT + part
        return whole

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
