"""The timer that runs `renew --due` daily, by systemd or launchd, and doctor's check of it."""

from __future__ import annotations

import getpass
import hashlib
import os
import plistlib
import random
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from machinectl.check import BROKEN, OK, Check, first_case, unknown
from machinectl.errors import NO_HINT, Hint, MachineError, one_line
from machinectl.files.atomic import make_directories, remove_if_present, replace_file
from machinectl.files.ownership import exposed
from machinectl.files.user_directories import check_home_known
from machinectl.machines.store.store_paths import default_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store

    # Whether the job is enabled, how its last run failed or "", and what to do then.
    JobState = tuple[bool, str, Hint]

TITLE = "Renewal timer"
NAME = "machinectl-renew"
# Seconds. Both schedulers answer at once.
PATIENCE = 30
# Where the job finds docker's contexts.
KEPT = ("DOCKER_CONFIG", "MACHINECTL_CONTEXTS")
LAST_EXIT = re.compile(r"last exit code = (\d+)")
PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
SERVICE = """\
# Written by: machinectl renew --install-timer
[Service]
Type=oneshot
"""
# A run that was missed is made up for. The delay keeps many computers from asking one host at the same moment.
TIMER = """\
# Written by: machinectl renew --install-timer
[Timer]
OnCalendar=daily
RandomizedDelaySec=12h
Persistent=true

[Install]
WantedBy=timers.target
"""


class Systemd:
    """Units of a user's systemd: systemd.service(5), systemd.timer(5), quoting as in systemd.syntax(7)."""

    probe = ("systemctl", "--user", "show", "--property=Version")

    def __init__(self, name: str) -> None:
        config = os.environ.get("XDG_CONFIG_HOME", "").strip()
        # As systemd, ignore a relative path (XDG Base Directory Specification).
        config = config if os.path.isabs(config) else os.path.expanduser("~/.config")
        self.name = name
        self.paths = [os.path.join(config, "systemd", "user", f"{name}.{kind}") for kind in ("service", "timer")]

    def files(self, command: Sequence[str], environment: Mapping[str, str]) -> list[bytes]:
        """Return the contents of `paths`. Raises MachineError for a program that systemd cannot start."""
        if not set("\"'\\$").isdisjoint(command[0]):
            raise MachineError(f"systemd cannot start {command[0]}", Hint("Install machinectl at another path"))
        variables = [systemd_word(f"{name}={value}", dollars=False) for name, value in environment.items()]
        lines = [
            *(f"Environment={word}\n" for word in variables),
            f"ExecStart={' '.join(map(systemd_word, command))}\n",
        ]
        return [os.fsencode(SERVICE + "".join(lines)), TIMER.encode()]

    def enable(self) -> Hint:
        """Start the timer; return what else the user may do. Raises MachineError."""
        run_checked("systemctl", "--user", "daemon-reload")
        run_checked("systemctl", "--user", "enable", "--now", f"{self.name}.timer")
        return Hint("To let it run while you are logged out, too", "sudo loginctl enable-linger", getpass.getuser())

    def disable(self) -> None:
        run_checked("systemctl", "--user", "disable", "--now", f"{self.name}.timer")

    def state(self) -> JobState:
        """Raise MachineError if systemd does not say it."""
        names = "--property=UnitFileState,ActiveState,Result,ExecMainStatus"
        timer, service = (
            dict(line.split("=", 1) for line in run_checked("systemctl", "--user", "show", unit, names).splitlines())
            for unit in (f"{self.name}.timer", f"{self.name}.service")
        )
        result = service.get("Result", "")
        status = f", exit status {service.get('ExecMainStatus', '?')}" if result == "exit-code" else ""
        return (
            timer.get("UnitFileState") == "enabled" and timer.get("ActiveState") == "active",
            "" if result in {"success", ""} else f"{result}{status}",
            Hint("See why", f"journalctl --user -u {self.name}.service")
            | Hint("then run it again", f"systemctl --user start {self.name}.service"),
        )


class Launchd:
    """A user's agent of launchd: launchd.plist(5), launchctl(1)."""

    def __init__(self, name: str) -> None:
        self.label = f"org.{name.replace('-', '.', 1)}"
        self.paths = [os.path.expanduser(f"~/Library/LaunchAgents/{self.label}.plist")]
        self.log = os.path.expanduser(f"~/Library/Logs/{name}.log")
        self.domain = f"gui/{os.getuid()}"
        self.service = f"{self.domain}/{self.label}"
        self.probe = ("launchctl", "print", self.domain)

    def files(self, command: Sequence[str], environment: Mapping[str, str]) -> list[bytes]:
        """Return the contents of `paths`."""
        content = {
            "Label": self.label,
            "ProgramArguments": list(command),
            "EnvironmentVariables": dict(environment),
            # launchd has no random delay. A missed run follows at the wake-up, or at the next login.
            "StartCalendarInterval": {"Hour": random.randrange(24), "Minute": random.randrange(60)},  # noqa: S311
            "RunAtLoad": True,
            "ProcessType": "Background",
            "StandardOutPath": self.log,
            "StandardErrorPath": self.log,
        }
        return [plistlib.dumps(content)]

    def enable(self) -> Hint:
        self.disable()
        run_checked("launchctl", "bootstrap", self.domain, self.paths[0])
        return NO_HINT

    def disable(self) -> None:
        # It fails if the agent is not loaded.
        run_program("launchctl", "bootout", self.service)

    def state(self) -> JobState:
        done = run_program("launchctl", "print", self.service)
        code = LAST_EXIT.search(done.stdout)
        return (
            done.returncode == 0,
            f"exit status {code[1]}" if code and code[1] != "0" else "",
            Hint("See why", f"cat {self.log}") | Hint("then run it again", f"launchctl kickstart {self.service}"),
        )


def scheduler(store: Store) -> Systemd | Launchd:
    """Return the timer of a store: each has its own."""
    name = NAME
    if store.root != default_root():
        name += f"-{hashlib.sha256(os.fsencode(store.root)).hexdigest()[:8]}"
    return Launchd(name) if sys.platform == "darwin" else Systemd(name)


def install_timer(
    store: Store, console: Console, script: str, words: Sequence[str], environment: Mapping[str, str]
) -> str:
    """Run `renew --due` with these words daily; return the path of the timer. Raises MachineError."""
    timer = scheduler(store)
    command = [*own_program(script), "--storage-path", store.root, "renew", "--due", *words]
    kept = {name: environment[name] for name in KEPT if environment.get(name)}
    path = timer.paths[-1]
    directory = os.path.dirname(path)
    check_home_known(path, Hint("Set HOME"))
    # A line break would end the line of a unit.
    for word in (*command, *kept.values(), path):
        if not word.isprintable():
            cause = f"A timer cannot have {word!r}: it holds a character that cannot be printed"
            raise MachineError(cause, Hint("Use a path without it"))
    # Another user could replace what the timer runs, even as root (sudo may keep HOME).
    if unsafe := exposed(directory, root_anywhere=False):
        raise MachineError(
            f"{unsafe.path} is not safe for a timer: {unsafe.why}",
            unsafe.hint() | Hint("or use a home directory of your own"),
        )
    answer = run_program(*timer.probe)
    if answer.returncode:
        raise MachineError(
            f"{timer.probe[0]} does not reach this user's session: {one_line(answer.stderr)}",
            Hint("Log in as the user itself (not by su or sudo; on a Mac, at its screen)")
            | Hint("or let cron run it daily", "machinectl renew --due"),
        )
    try:
        make_directories(directory)
        for file, content in zip(timer.paths, timer.files(command, kept), strict=True):
            replace_file(file, content)
    except OSError as exc:
        raise MachineError(f"{path} cannot be written: {exc.strerror}", Hint("See", "ls -ld", directory)) from exc
    if hint := timer.enable():
        console.note("The timer is installed", hint)
    return path


def uninstall_timer(store: Store, console: Console) -> str:
    """Return the path of the timer, "" if there was none. Raises MachineError."""
    timer = scheduler(store)
    if not any(map(os.path.lexists, timer.paths)):
        console.note(f"There is no timer at {timer.paths[-1]}")
        return ""
    timer.disable()
    for file in timer.paths:
        remove_if_present(file)
    return timer.paths[-1]


def checks(store: Store, *_given: object) -> Iterator[Check]:
    """Yield doctor's check; nothing without a timer: renewal by hand is no fault."""
    timer = scheduler(store)
    path = timer.paths[-1]
    if not any(map(os.path.lexists, timer.paths)):
        return
    try:
        is_enabled, failure, hint = timer.state()
    except MachineError as exc:
        yield unknown(TITLE, f"{path}: {exc.cause}", exc.hint)
        return
    again = Hint("Install it again", "machinectl renew --install-timer")
    yield first_case(
        TITLE,
        (not is_enabled, BROKEN, f"{path} is installed, but not enabled", again),
        (failure, BROKEN, f"the last run failed ({failure})", hint),
        (True, OK, f"{path} renews certificates daily", NO_HINT),
    )


def timer_words(arguments: Sequence[str]) -> list[str]:
    """Return the words for `renew --due`; the timer starts in another directory."""
    words: list[str] = []
    for word in arguments[arguments.index("renew") + 1 :]:
        flag, equals, value = word.partition("=")
        if words and words[-1].endswith("-file"):
            words.append(os.path.abspath(word))
        elif equals and flag.endswith("-file"):
            words.append(f"{flag}={os.path.abspath(value)}")
        elif word not in {"--install-timer", "--yes", "-y"}:
            words.append(word)
    return words


def own_program(script: str) -> list[str]:
    """Return the words that start this program, with an absolute path that outlasts an upgrade."""
    path = os.path.abspath(script)
    if os.path.basename(path) != "__main__.py" and os.access(path, os.X_OK):
        return [path]
    return [sys.executable, "-P", "-m", "machinectl"]


def systemd_word(word: str, *, dollars: bool = True) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    escaped = escaped.replace("$", "$$") if dollars else escaped
    return escaped if PLAIN.fullmatch(escaped) else f'"{escaped}"'


def run_checked(*command: str) -> str:
    """Return what a program prints. Raises MachineError if it fails."""
    done = run_program(*command)
    if done.returncode:
        raise MachineError(f"{shlex.join(command)} failed: {one_line(done.stderr)}", Hint("Try it by hand", *command))
    return done.stdout


def run_program(*command: str) -> subprocess.CompletedProcess[str]:
    """Raise MachineError if it cannot be run."""
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise MachineError(f"{command[0]} cannot be run: {exc}") from exc
