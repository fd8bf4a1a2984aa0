"""The daily job, and the program that keeps its time."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import NO_HINT, Hint, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAME = "machinectl-renew"
# Seconds. Both answer at once.
PATIENCE = 30


@dataclass(frozen=True)
class DailyJob:
    """A command, with the variables that it needs; `name` is the unit's."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def crontab_line(self) -> str:
        """Return it for crontab(5), where % would end the command."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join(["17 3 * * *", *variables, shlex.join(self.command)]).replace("%", "\\%")


@dataclass(frozen=True)
class JobState:
    """What is known of an installed job: its first word, how the last run failed or "", and what to do then.

    `status` is the last run's exit status, 0 if it has none.
    """

    program: str
    enabled: bool
    failed: str = ""
    hint: Hint = NO_HINT
    status: int = 0


def check_printable(words: Iterable[str]) -> None:
    """Raise MachineError for a word that no file of a scheduler can hold: a line break ends its line."""
    if found := next((word for word in words if not word.isprintable()), ""):
        raise MachineError(
            f"A timer cannot have {found!r}: it holds a character that cannot be printed", Hint("Use a path without it")
        )


def job_name(store: str, default_store: str) -> str:
    """Each store has its own timer."""
    if store == default_store:
        return NAME
    return f"{NAME}-{hashlib.sha256(os.fsencode(store)).hexdigest()[:8]}"


def own_program(script: str) -> list[str]:
    """Return the words that start this program, with an absolute path that outlasts an upgrade."""
    path = os.path.abspath(script)
    if os.path.basename(path) != "__main__.py" and os.access(path, os.X_OK):
        return [path]
    return [sys.executable, "-P", "-m", "machinectl"]


def run_program(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Raise MachineError if it cannot be run."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        why = exc.strerror if isinstance(exc, OSError) else f"it did not end within {PATIENCE} s"
        raise MachineError(f"{command[0]} cannot be run: {why}") from exc
