"""`scp`: copy files with scp, rsync or paramiko."""

from __future__ import annotations

import os
import posixpath
import shlex
import shutil
import sys
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError, UsageError
from machinectl.hosts.copy_paths import parse_machine_path
from machinectl.hosts.openssh_programs import run_ssh_program, temporary_ssh_config
from machinectl.hosts.sftp_copy import copy_by_sftp, explain_sftp_failure
from machinectl.ssh.openssh.copy_commands import has_sftp_scp, rsync_command, scp_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.hosts.copy_paths import MachinePath
    from machinectl.hosts.login import Login
    from machinectl.hosts.openssh_programs import SSHFiles
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.ssh.openssh.copy_commands import CopyOptions

# rsync's exit status if the host has no rsync (RERR_STREAMIO, RERR_CMD_NOTFOUND). The remote shell prints the error.
NOT_STARTED = {12, 127}


def scp(
    store: Store,
    console: Console,
    words: Sequence[str],
    wishes: CopyOptions,
    login: Login,
    *,
    delta: bool = False,
    native: bool = False,
) -> int:
    """Copy to the last of `words`; return the exit status.

    scp follows links; rsync (`delta`) keeps them and sends only differences. paramiko is for `native`, and for an scp
    without SFTP. Raises SSHError, and UsageError without a machine.
    """
    *sources, target = [parse_machine_path(store, word) for word in words]
    machines = list({each.machine.name: each.machine for each in (*sources, target) if each.machine}.values())
    if not machines:
        raise UsageError(
            f"No path is on a machine: {shlex.join(words)}",
            Hint("One is written <NAME>:<PATH>; within this computer: cp"),
        )
    for source in sources:
        check_different(source, target)
    logins = [each.login for each in (*sources, target)]
    if delta:
        if native:
            raise MachineError(
                "-d uses rsync over the system's ssh, which --native-ssh turns off",
                Hint("Leave out -d or --native-ssh"),
            )
        check_rsync(sources, target, wishes)
        with temporary_ssh_config(store, machines, console, login, logins) as files:
            return by_rsync(files, sources, target, machines, wishes, console, login)
    if native or not has_sftp_scp():
        return copy_by_sftp(store, console, sources, target, wishes, login)
    with temporary_ssh_config(store, machines, console, login, logins) as files:
        paths = [source.for_programs for source in sources]
        command = scp_command(files.config, files.program, paths, target.for_programs, wishes)
        ended = run_ssh_program(command, files, machines, console, login)
    if ended.status:
        explain_sftp_failure(ended.said, target, console)
    return ended.status


def check_different(source: MachinePath, target: MachinePath) -> None:
    """Refuse equal paths: scp would empty the file."""
    if source.machine is None or target.machine is None or source.login != target.login:
        return
    path = posixpath.normpath(source.path)
    if posixpath.normpath(target.path) in {path, posixpath.dirname(path) or posixpath.curdir}:
        raise UsageError(f"{source} and {target} are the same", Hint("Name another target"))


def check_rsync(sources: Sequence[MachinePath], target: MachinePath, wishes: CopyOptions) -> None:
    """Raise MachineError, UsageError for what rsync cannot copy."""
    from_machines = {source.machine.name if source.machine else "" for source in sources}
    if len(from_machines) > 1 or ("" in from_machines) == (target.machine is None):
        raise UsageError(
            "-d uses rsync, which copies only between this computer and one machine",
            Hint("Without -d, scp copies between any of them"),
        )
    for source in sources:
        # rsync would skip it and succeed.
        if source.machine is None and os.path.isdir(source.path) and not wishes.recursive:
            raise MachineError(f"{source} is a directory", Hint("Copy it with its contents: -r"))
    if not shutil.which("rsync"):
        raise MachineError(
            "rsync is not installed on this computer", Hint("Install the package rsync, or leave out -d")
        )


def by_rsync(
    files: SSHFiles,
    sources: Sequence[MachinePath],
    target: MachinePath,
    machines: Sequence[Machine],
    wishes: CopyOptions,
    console: Console,
    login: Login,
) -> int:
    progress = sys.stdout.isatty() and not wishes.quiet
    paths = [each.for_programs for each in sources]
    command = rsync_command(files.config, files.program, paths, target.for_programs, wishes, progress=progress)
    ended = run_ssh_program(command, files, machines, console, login)
    shells = [line for line in ended.said.splitlines() if not line.startswith("rsync")]
    if ended.status in NOT_STARTED and any("rsync" in line for line in shells):
        raise MachineError(
            f'There is no rsync on the host of "{machines[0].name}"',
            Hint("Install the package rsync there, or leave out -d"),
        )
    return ended.status
