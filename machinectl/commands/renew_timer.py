"""`renew --install-timer` and `--uninstall-timer`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import make_directories, remove_if_present, replace_file
from machinectl.files.ownership import exposed
from machinectl.files.user_directories import check_home_known
from machinectl.machines.store.store_paths import default_root
from machinectl.renewal.daily_job import DailyJob, check_printable, job_name, own_program
from machinectl.renewal.scheduler import scheduler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store

# Where the job finds docker's contexts, and the private files of the session.
KEPT = ("DOCKER_CONFIG", "MACHINECTL_CONTEXTS")


def install_timer(
    store: Store, console: Console, script: str, words: Sequence[str], environment: Mapping[str, str]
) -> str:
    """Run `renew --due` with these words daily; return the path of the timer. Raises MachineError."""
    timer = scheduler()
    command = (*own_program(script), "--storage-path", store.root, "renew", "--due", *words)
    kept = {name: environment[name] for name in KEPT if environment.get(name)}
    job = DailyJob(job_name(store.root, default_root()), command, kept)
    paths = timer.paths(job.name)
    check_home_known(paths[0], Hint("Set HOME"))
    check_printable([*job.command, *kept.values(), *paths])
    check_private(os.path.dirname(paths[0]))
    try:
        timer.check()
    except MachineError as exc:
        exc.hint = exc.hint | Hint("Or let cron run it (crontab -e)", job.crontab_line)
        raise
    files = timer.files(job)
    for path, content in files.items():
        try:
            make_directories(os.path.dirname(path))
            replace_file(path, content)
        except OSError as exc:
            hint = Hint("See", "ls -ld", os.path.dirname(path))
            raise MachineError(f"{path} cannot be written: {exc.strerror}", hint) from exc
    if hint := timer.enable(job.name):
        console.note("The timer is installed", hint)
    return list(files)[-1]


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
    for each in paths:
        remove_if_present(each)
    timer.reload()
    return path
