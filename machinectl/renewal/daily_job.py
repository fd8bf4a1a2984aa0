"""The daily job of `renew --install-timer`, and what keeps its time: systemd or launchd."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from machinectl.errors import NO_HINT, Hint, MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME = "machinectl-renew"
# Seconds. Both schedulers answer at once.
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
    """An installed job: its program, whether it is enabled, how the last run failed or "", and what to do then."""

    program: str
    enabled: bool
    failed: str = ""
    hint: Hint = NO_HINT


class Scheduler(Protocol):
    # Return the paths of a job's files. The last one is shown to the user.
    def paths(self, name: str) -> list[str]: ...

    # Return the files of a job and their contents.
    def files(self, job: DailyJob) -> dict[str, bytes]: ...

    # Raise MachineError if it does not answer.
    def check(self) -> None: ...

    # Start the job's time. Raises MachineError. Returns what else the user may do.
    def enable(self, name: str) -> Hint: ...

    def disable(self, name: str) -> None: ...

    # Notice that the files are gone.
    def reload(self) -> None: ...

    # Raise MachineError if it cannot be asked.
    def state(self, name: str) -> JobState: ...


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
        why = exc.strerror if isinstance(exc, OSError) else f"no answer within {PATIENCE} s"
        raise MachineError(f"{command[0]} cannot be run: {why}") from exc
