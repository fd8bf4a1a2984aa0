"""What can go wrong and is told to the user in one to three lines, with the exit code that it ends in."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# How much of two words must be the same for one to be taken for a typing error of the other (difflib's ratio).
NEAR = 0.75
LONGEST_LINE = 200
# What stands where a line was cut off.
CUT = "…"


class MachineError(Exception):
    """An expected failure: a cause in one line and, in `hint`, the next command to type.

    Every library's own exceptions are translated into one of these where the library is used
    (`raise … from exc`); everything else that reaches the command line is a bug and is reported as one.
    """

    exit_code = 1

    def __init__(self, cause: str, hint: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.hint = hint


class UsageError(MachineError):
    """The command line cannot be understood, whatever the machines are like."""

    exit_code = 2


class CheckFailed(MachineError):
    """A check before `create` failed; nothing was made or changed (docker-machine's exit code 3)."""

    exit_code = 3


def closest_match(word: str, known: Iterable[str]) -> str:
    """What a person who typed `word` may have meant among what there is; "" where nothing is near."""
    import difflib

    by_lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=NEAR)
    return by_lower[near[0]] if near else ""


def one_line(text: str, limit: int = LONGEST_LINE) -> str:
    """Somebody else's text made fit for one line of a terminal: nothing in it moves the cursor, and it ends."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= limit else line[: limit - 1] + CUT
