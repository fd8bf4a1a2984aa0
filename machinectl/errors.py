"""Expected errors, their exit statuses, and one-line text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# The least similarity of a mistyped word (difflib's ratio).
NEAR = 0.75
LONGEST_LINE = 200
CUT = "…"


class MachineError(Exception):
    """An expected failure; `hint` is the next command.

    Library exceptions become MachineError where they occur. Other exceptions are bugs.
    """

    exit_code = 1

    def __init__(self, cause: str, hint: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.hint = hint


class UsageError(MachineError):
    exit_code = 2


class CheckFailed(MachineError):
    """A check before `create` failed; nothing changed (docker-machine's exit status 3)."""

    exit_code = 3


class Declined(CheckFailed):
    """The user said no, and nothing changed."""

    exit_code = 1


def closest_match(word: str, known: Iterable[str]) -> str:
    """Return the closest known word, or ""."""
    import difflib

    by_lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=NEAR)
    return by_lower[near[0]] if near else ""


def one_line(text: str, limit: int = LONGEST_LINE) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= limit else line[: limit - 1] + CUT
