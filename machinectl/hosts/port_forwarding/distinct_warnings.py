"""Show each warning only once while ports are forwarded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import NO_HINT

if TYPE_CHECKING:
    from machinectl.console import Console

# A hostile host could cause endless different ones.
MOST_WARNINGS = 100


class DistinctWarnings:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: set[str] = set()

    def warn(self, text: str, hint: str = NO_HINT) -> None:
        if text in self._said or len(self._said) > MOST_WARNINGS:
            return
        is_last = len(self._said) == MOST_WARNINGS
        self._said.add(text)
        self._console.warn("Further warnings are not shown" if is_last else text, NO_HINT if is_last else hint)
