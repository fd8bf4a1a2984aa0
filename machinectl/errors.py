"""Expected errors, with the exit status of each, and text that fits on one line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# How similar a mistyped word must be (difflib's ratio).
NEAR = 0.75
LONGEST_LINE = 200
# Marks a line that was cut off.
CUT = "…"


class MachineError(Exception):
    """An expected failure: a cause in one line and, in `hint`, the next command to type.

    Each library's exceptions are translated into one of these where the library is used (`raise … from exc`). Anything
    else that reaches the command line is reported as a bug.
    """

    exit_code = 1

    def __init__(self, cause: str, hint: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.hint = hint


class UsageError(MachineError):
    """The command line is wrong, whatever the state of the machines."""

    exit_code = 2


class CheckFailed(MachineError):
    """A check before `create` failed, and nothing was changed (docker-machine's exit status 3)."""

    exit_code = 3


def closest_match(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant by a mistyped one, "" if none is close."""
    import difflib

    by_lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=NEAR)
    return by_lower[near[0]] if near else ""


def one_line(text: str, limit: int = LONGEST_LINE) -> str:
    """Make foreign text safe for one line of a terminal: no control characters, cut at `limit` characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= limit else line[: limit - 1] + CUT
