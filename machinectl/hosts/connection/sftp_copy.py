"""Copy files over our own SFTP if `scp` is not possible."""

from __future__ import annotations

import dataclasses
import shlex
import stat
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from machinectl.hosts.connection.login import logged_in, pin_in_store
from machinectl.hosts.connection.machine_driver import ssh_endpoint
from machinectl.ssh.openssh.copy_commands import no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.hosts.connection.copy_paths import MachinePath
    from machinectl.hosts.connection.login import Login
    from machinectl.machines.store import Store
    from machinectl.ssh.client.file_copier import FileTree
    from machinectl.ssh.openssh.copy_commands import CopyOptions, CopyProgress

# Seconds to remove leftovers from a host after ^C.
PATIENCE = 2.0
# scp's exit statuses.
DONE, FAILED = 0, 1
# SFTP's message for every error without its own code, such as a full disk (SSH_FX_FAILURE).
FAILURE = ": Failure"


def copy_by_sftp(
    store: Store,
    console: Console,
    sources: Sequence[MachinePath],
    target: MachinePath,
    wishes: CopyOptions,
    login: Login,
    progress: CopyProgress,
) -> int:
    """Return scp's exit status. Raises SSHError."""
    from machinectl.ssh.client.file_copier import FileCopier, run_in_thread

    failures: list[str] = []

    def fail(text: str) -> None:
        failures.append(text)
        console.warn(text)

    with ExitStack() as connections:
        to = open_files(store, console, target, login, connections)
        if len(sources) > 1 and (why := why_no_directory(to, target)):
            console.warn(why)
            return FAILED
        opened: dict[tuple[str, str], FileTree] = {}
        for source in sources:
            if source.login not in opened:
                opened[source.login] = open_files(store, console, source, login, connections)
            following = no_progress if wishes.quiet else progress
            copier = FileCopier(opened[source.login], to, wishes, following, fail)
            copy = partial(copier.copy, sftp_path(source), sftp_path(target))
            run_in_thread(copy, copier.stopped, PATIENCE)
    explain_sftp_failure("\n".join(failures), target, console)
    return FAILED if failures else DONE


def open_files(store: Store, console: Console, place: MachinePath, login: Login, connections: ExitStack) -> FileTree:
    from machinectl.ssh.client.file_copier import LocalFiles, remote_files

    if place.machine is None:
        return LocalFiles()
    endpoint = ssh_endpoint(place.machine)
    if place.user:
        endpoint = dataclasses.replace(endpoint, user=place.user)
    pin = pin_in_store(store, console, place.machine)
    way = logged_in(place.machine, console, login.for_one_host(), ssh=endpoint, quietly=True, native=True, pin=pin)
    return connections.enter_context(remote_files(connections.enter_context(way)))


def why_no_directory(to: FileTree, target: MachinePath) -> str:
    """Return "" if several files can be copied there."""
    try:
        if stat.S_ISDIR(to.stat(sftp_path(target)).st_mode or 0):
            return ""
    except OSError as exc:
        return f"{target}: {exc.strerror or exc}"
    return f"cannot copy several files: {target} is not a directory"


def sftp_path(place: MachinePath) -> str:
    """Return a path that starts at home: SFTP does not expand ~."""
    if place.machine is None:
        return place.path
    at_home = place.path == "~" or place.path.startswith("~/")
    return (place.path[2:].lstrip("/") if at_home else place.path) or "."


def explain_sftp_failure(said: str, target: MachinePath, console: Console) -> None:
    """Suggest checking the disk: SFTP says only "Failure" if it is full."""
    if FAILURE not in said:
        return
    path = shlex.quote(target.path or ".")
    # Quoted twice for a remote path: for the local shell and the host's.
    command = f"machinectl ssh {target.machine.name} df -h {shlex.quote(path)}" if target.machine else f"df -h {path}"
    console.note(f'SFTP says "Failure" for many errors, such as a full disk. See: {command}')
