"""Install and remove the timer that runs `renew --due` daily."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import make_directories, remove_if_present, replace_file
from machinectl.files.ownership import exposed
from machinectl.files.user_directories import check_home_known
from machinectl.machines.store.store_paths import default_root
from machinectl.renewal.daily_job import DailyJob, job_name, own_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store
    from machinectl.renewal.daily_job import Scheduler

# Where the job finds docker's contexts.
KEPT = ("DOCKER_CONFIG", "MACHINECTL_CONTEXTS")


def scheduler() -> Scheduler:
    if sys.platform == "darwin":
        from machinectl.renewal.launchd import Launchd

        return Launchd()
    from machinectl.renewal.systemd import Systemd

    return Systemd()


def install_timer(
    store: Store, console: Console, script: str, words: Sequence[str], environment: Mapping[str, str]
) -> str:
    """Run `renew --due` with these words daily; return the path of the timer. Raises MachineError."""
    timer = scheduler()
    command = (*own_program(script), "--storage-path", store.root, "renew", "--due", *words)
    kept = {name: environment[name] for name in KEPT if environment.get(name)}
    job = DailyJob(job_name(store.root, default_root()), command, kept)
    *_, path = paths = timer.paths(job.name)
    check_home_known(path, Hint("Set HOME"))
    check_printable([*job.command, *kept.values(), *paths])
    check_private(os.path.dirname(path))
    try:
        timer.check()
    except MachineError as exc:
        exc.hint = exc.hint | Hint("Or let cron run it (crontab -e)", job.crontab_line)
        raise
    try:
        make_directories(os.path.dirname(path))
        for file, content in timer.files(job).items():
            replace_file(file, content)
    except OSError as exc:
        see = Hint("See", "ls -ld", os.path.dirname(path))
        raise MachineError(f"{path} cannot be written: {exc.strerror}", see) from exc
    if hint := timer.enable(job.name):
        console.note("The timer is installed", hint)
    return path


def check_printable(words: Iterable[str]) -> None:
    """Raise MachineError for a word that no file of a scheduler can hold: a line break ends its line."""
    if word := next((word for word in words if not word.isprintable()), ""):
        raise MachineError(
            f"A timer cannot have {word!r}: it holds a character that cannot be printed", Hint("Use a path without it")
        )


def check_private(directory: str) -> None:
    """Raise MachineError if another user could replace what the timer runs, even as root (sudo may keep HOME)."""
    if found := exposed(directory, root_anywhere=False):
        raise MachineError(
            f"{found.path} is not safe for a timer: {found.why}",
            found.hint() | Hint("or use a home directory of your own"),
        )


def uninstall_timer(store: Store, console: Console) -> str:
    """Return the path of the timer, "" if there was none. Raises MachineError."""
    timer, name = scheduler(), job_name(store.root, default_root())
    *_, path = paths = timer.paths(name)
    if not any(map(os.path.lexists, paths)):
        console.note(f"There is no timer at {path}")
        return ""
    timer.disable(name)
    for file in paths:
        remove_if_present(file)
    timer.reload()
    return path


def timer_words(arguments: Sequence[str]) -> list[str]:
    """Return the words for `renew --due`; the timer starts in another directory."""
    found: list[str] = []
    for word in arguments[arguments.index("renew") + 1 :]:
        flag, equals, value = word.partition("=")
        if found and found[-1].endswith("-file"):
            found.append(os.path.abspath(word))
        elif equals and flag.endswith("-file"):
            found.append(f"{flag}={os.path.abspath(value)}")
        elif word not in {"--install-timer", "--yes", "-y"}:
            found.append(word)
    return found
