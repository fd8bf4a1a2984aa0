"""What can go wrong and is told to the user in one to three lines, with the exit code that it ends in."""

from __future__ import annotations

LONGEST_LINE = 200


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


def one_line(text: str, limit: int = LONGEST_LINE) -> str:
    """Somebody else's text made fit for one line of a terminal: nothing in it moves the cursor, and it ends."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
