"""A user's agent of launchd: launchd.plist(5), launchctl(1)."""

from __future__ import annotations

import hashlib
import os
import plistlib
import re
import socket
from typing import TYPE_CHECKING

from machinectl.errors import NO_HINT, Hint, MachineError, one_line
from machinectl.renewal.daily_job import JobState, run_program

if TYPE_CHECKING:
    from machinectl.renewal.daily_job import DailyJob

LAST_EXIT = re.compile(r"last exit code = (\d+)")
MINUTES = 24 * 60


class Launchd:
    def paths(self, name: str) -> list[str]:
        return [os.path.expanduser(f"~/Library/LaunchAgents/{label(name)}.plist")]

    def files(self, job: DailyJob) -> dict[str, bytes]:
        log = log_path(job.name)
        content = {
            "Label": label(job.name),
            "ProgramArguments": list(job.command),
            "EnvironmentVariables": dict(job.environment),
            # A missed run follows at the wake-up, or at the next login.
            "StartCalendarInterval": daily_time(job.name),
            "RunAtLoad": True,
            "ProcessType": "Background",
            "StandardOutPath": log,
            "StandardErrorPath": log,
        }
        return {self.paths(job.name)[0]: plistlib.dumps({key: value for key, value in content.items() if value})}

    def check(self) -> None:
        if run_program(["launchctl", "print", domain()]).returncode:
            raise MachineError(
                "launchd has no session for this user",
                Hint("Log in at the Mac's own screen, then run the same command again"),
            )

    def enable(self, name: str) -> Hint:
        run_program(["launchctl", "bootout", f"{domain()}/{label(name)}"])
        self.call("bootstrap", domain(), self.paths(name)[0])
        return NO_HINT

    def disable(self, name: str) -> None:
        # It fails if the agent is not loaded.
        run_program(["launchctl", "bootout", f"{domain()}/{label(name)}"])

    def reload(self) -> None:
        """Launchd reads a file only on command."""

    def state(self, name: str) -> JobState:
        done = run_program(["launchctl", "print", f"{domain()}/{label(name)}"])
        code = LAST_EXIT.search(done.stdout)
        failed = f"exit status {code[1]}" if code and code[1] != "0" else ""
        again = Hint("See why", f"cat {log_path(name)}") | Hint(
            "then run it again", f"launchctl kickstart {domain()}/{label(name)}"
        )
        return JobState(self.program(name), done.returncode == 0, failed, again)

    def program(self, name: str) -> str:
        """Return the program in the agent's file, "" if it cannot be read."""
        try:
            with open(self.paths(name)[0], "rb") as file:
                return str(plistlib.load(file)["ProgramArguments"][0])
        except (OSError, ValueError, KeyError, IndexError, TypeError, plistlib.InvalidFileException):
            return ""

    def call(self, *words: str) -> None:
        done = run_program(["launchctl", *words])
        if done.returncode:
            raise MachineError(
                f"launchctl {words[0]} failed: {one_line(done.stderr)}", Hint("See", f"launchctl print {domain()}")
            )


def label(name: str) -> str:
    return f"org.{name.replace('-', '.', 1)}"


def domain() -> str:
    return f"gui/{os.getuid()}"


def log_path(name: str) -> str:
    return os.path.expanduser(f"~/Library/Logs/{name}.log")


def daily_time(name: str) -> dict[str, int]:
    """Return a time of the day that differs between computers: launchd has no random delay."""
    seed = f"{socket.gethostname()} {os.getuid()} {name}"
    minute = int(hashlib.sha256(seed.encode(errors="replace")).hexdigest(), 16) % MINUTES
    return {"Hour": minute // 60, "Minute": minute % 60}
