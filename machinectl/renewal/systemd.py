"""Units of a user's systemd: systemd.service(5), systemd.timer(5), quoting as in systemd.syntax(7)."""

from __future__ import annotations

import getpass
import os
import re
import shlex
from typing import TYPE_CHECKING

from machinectl.errors import NO_HINT, Hint, MachineError, one_line
from machinectl.renewal.daily_job import JobState, run_program

if TYPE_CHECKING:
    from machinectl.renewal.daily_job import DailyJob

SYSTEMCTL = ("systemctl", "--user")
PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
# systemd starts no program whose path has a quote or a backslash, and expands $ in its first argument only.
UNUSABLE = re.compile(r"""["'\\$]""")
SERVICE = """\
# Written by: machinectl renew --install-timer
[Unit]
Description=Renew certificates of machinectl's machines that are due

[Service]
Type=oneshot
{environment}ExecStart={command}
"""
# A run that was missed is made up for. The delay keeps many computers from asking one host at the same moment.
TIMER = """\
# Written by: machinectl renew --install-timer
[Unit]
Description=Renew certificates of machinectl's machines daily

[Timer]
OnCalendar=daily
RandomizedDelaySec=12h
Persistent=true

[Install]
WantedBy=timers.target
"""


class Systemd:
    @property
    def directory(self) -> str:
        config = os.environ.get("XDG_CONFIG_HOME", "").strip()
        # As systemd, ignore a relative path (XDG Base Directory Specification).
        return os.path.join(config if os.path.isabs(config) else os.path.expanduser("~/.config"), "systemd", "user")

    def paths(self, name: str) -> list[str]:
        return [os.path.join(self.directory, f"{name}.{kind}") for kind in ("service", "timer")]

    def files(self, job: DailyJob) -> dict[str, bytes]:
        program, *words = job.command
        variables = "".join(
            f"Environment={systemd_word(f'{name}={value}', dollars=False)}\n" for name, value in job.environment.items()
        )
        if UNUSABLE.search(program):
            raise MachineError(f"systemd cannot start {program}", Hint("Install machinectl at another path"))
        command = " ".join(map(systemd_word, [program, *words]))
        service, timer = self.paths(job.name)
        return {
            service: os.fsencode(SERVICE.format(environment=variables, command=command)),
            timer: TIMER.encode(),
        }

    def check(self) -> None:
        done = run_program([*SYSTEMCTL, "show", "--property=Version"])
        if done.returncode:
            # Without that, systemctl explains at length how to reach another user's.
            why = one_line(done.stderr) if os.environ.get("XDG_RUNTIME_DIR") else "$XDG_RUNTIME_DIR is not set"
            raise MachineError(
                f"systemd does not answer for this user ({why})", Hint("Log in as the user itself (not by su or sudo)")
            )

    def enable(self, name: str) -> Hint:
        self.call("daemon-reload")
        self.call("enable", "--now", f"{name}.timer")
        always = "It runs only while you are logged in. To let it run always"
        return Hint(always, "sudo loginctl enable-linger", getpass.getuser()) if self.ends_at_logout() else NO_HINT

    def disable(self, name: str) -> None:
        self.call("disable", "--now", f"{name}.timer")

    def reload(self) -> None:
        self.call("daemon-reload")

    def ends_at_logout(self) -> bool:
        try:
            done = run_program(["loginctl", "show-user", str(os.getuid()), "--property=Linger"])
        except MachineError:
            return True
        return done.stdout.strip() != "Linger=yes"

    def state(self, name: str) -> JobState:
        timer = self.properties(f"{name}.timer", "UnitFileState", "ActiveState")
        service = self.properties(f"{name}.service", "Result", "ExecMainStatus")
        result = service.get("Result", "")
        ended = f", exit status {service.get('ExecMainStatus', '?')}" if result == "exit-code" else ""
        return JobState(
            self.program(name),
            timer.get("UnitFileState") == "enabled" and timer.get("ActiveState") == "active",
            "" if result in {"success", ""} else f"{result}{ended}",
            Hint("See why", f"journalctl --user -u {name}.service")
            | Hint("then run it again", f"systemctl --user start {name}.service"),
        )

    def program(self, name: str) -> str:
        """Return the program in the service's file, "" if it cannot be read."""
        try:
            with open(self.paths(name)[0], encoding="utf-8", errors="surrogateescape") as file:
                lines = [line.partition("=")[2] for line in file if line.startswith("ExecStart=")]
            return shlex.split(lines[0])[0].replace("%%", "%")
        except (OSError, ValueError, IndexError):
            return ""

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        done = self.call("show", unit, f"--property={','.join(names)}")
        return dict(line.split("=", 1) for line in done.splitlines() if "=" in line)

    def call(self, *words: str) -> str:
        done = run_program([*SYSTEMCTL, *words])
        if done.returncode:
            raise MachineError(
                f"systemctl --user {' '.join(words)} failed: {one_line(done.stderr)}",
                Hint("See", "systemctl --user status"),
            )
        return done.stdout


def systemd_word(word: str, *, dollars: bool = True) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    if dollars:
        escaped = escaped.replace("$", "$$")
    return escaped if PLAIN.fullmatch(escaped) else f'"{escaped}"'
