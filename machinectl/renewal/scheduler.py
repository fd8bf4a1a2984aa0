"""Choose this computer's scheduler."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from machinectl.errors import Hint
    from machinectl.renewal.daily_job import DailyJob, JobState


class Scheduler(Protocol):
    # Return the files of a job and their contents.
    def files(self, job: DailyJob) -> dict[str, bytes]: ...

    # Raise MachineError if it does not answer.
    def check(self) -> None: ...

    # Start the job's time. Raises MachineError. Returns what else the user may do.
    def enable(self, name: str) -> Hint: ...

    def disable(self, name: str) -> None: ...

    # Notice that the files are gone.
    def reload(self) -> None: ...

    # Return the paths that `files` would have.
    def paths(self, name: str) -> list[str]: ...

    # Raise MachineError if it cannot be asked.
    def state(self, name: str) -> JobState: ...


def scheduler() -> Scheduler:
    if sys.platform == "darwin":
        from machinectl.renewal.launchd import Launchd

        return Launchd()
    from machinectl.renewal.systemd import Systemd

    return Systemd()
