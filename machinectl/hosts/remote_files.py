"""Copy files to and from hosts with the system's scp or rsync, and mount their directories with sshfs."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import Hint, MachineError, UsageError, one_line
from machinectl.hosts.login import Login
from machinectl.hosts.openssh_programs import run_ssh_program, temporary_ssh_config
from machinectl.process_streams import find_program, query_program
from machinectl.ssh.ssh_settings import check_ssh_user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.hosts.openssh_programs import SSHFiles
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# Below 8.7, scp has no -s for SFTP: a shell on the host reads the path.
OLD_OPENSSH = rb"OpenSSH\D*(?:[0-7]\.|8\.[0-6]\D)"
# What a shell reads as more than a letter of a file's name or of a pattern.
SPECIAL = r"[^\w\x80-\U0010ffff@%+=:,./~*?\[\]-]"
# docker-machine's name for this computer, never a machine's.
HERE = "localhost"
# Programs that unmount without root: FUSE 3, FUSE 2 and macOS.
UNMOUNTS = (("fusermount3", "-u", "--"), ("fusermount", "-u", "--"), ("umount",))
LIST_MOUNTS = Hint("List what is mounted", "machinectl mount")
# A line of `mount`, on Linux and on macOS: what is mounted, and where.
MOUNTED = re.compile(r"^(.+?) on (.+?) (?:type fuse\.sshfs |\((?:mac|osx)fuse)", re.MULTILINE)
QUERY_SECONDS = 10
# Bytes of sshfs's output.
MOST_SAID = 1 << 16


class MachinePath(NamedTuple):
    """A local path if `machine` is None. `user` overrides the login user."""

    path: str
    machine: Machine | None = None
    user: str = ""

    @property
    def place(self) -> str:
        name = self.machine.name if self.machine else ""
        return f"{self.user}@{name}" if self.user else name

    def __str__(self) -> str:
        """Return the argument for scp and rsync. A local path never looks like HOST:PATH or an option."""
        if self.machine:
            return f"{self.place}:{self.path}"
        # As typed, if possible: scp and rsync name it in their errors.
        is_plain = self.path and not self.path.startswith("-") and ":" not in self.path
        return self.path if is_plain or self.path.startswith("/") else f"./{self.path}"


def parse_machine_path(store: Store, text: str) -> MachinePath:
    """Parse like scp: `./a:b` is local. Raises MachineError, UsageError for an invalid user."""
    before, colon, path = text.partition(":")
    if not colon or not before or "/" in before:
        return MachinePath(text)
    user, _, name = before.rpartition("@")
    if name == HERE:
        return MachinePath(path or os.curdir)
    if user:
        check_ssh_user(user)
    return MachinePath(path, store.read(name), user)


def copy_files(
    store: Store,
    console: Console,
    words: Sequence[str],
    login: Login,
    *,
    recursive: bool,
    preserve: bool,
    quiet: bool,
    delta: bool,
) -> int:
    """Copy to the last of `words`; return the exit status.

    scp follows links; rsync (`delta`) keeps them and sends only differences. Raises SSHError, and UsageError without a
    machine.
    """
    *sources, target = paths = [parse_machine_path(store, word) for word in words]
    if not any(path.machine for path in paths):
        raise UsageError(
            f"No path is on a machine: {shlex.join(words)}",
            Hint("One is written <NAME>:<PATH>; within this computer: cp"),
        )
    for source in sources:
        check_different(source, target)
    program = "rsync" if delta else "scp"
    if not find_program(program):
        package = "the package rsync, or leave out -d" if delta else "the OpenSSH client"
        raise MachineError(f"{program} is not installed on this computer", Hint(f"Install {package}"))
    flags = [*["-r"] * recursive, *["-p"] * preserve]
    logins = [(path.machine, path.user) for path in paths if path.machine]
    with temporary_ssh_config(store, logins, console, login) as files:
        command = rsync_command(files, paths, quiet=quiet) if delta else scp_command(files, paths)
        command[1:1] = flags
        return run_ssh_program(command, files, console, login, quiet=quiet)


def check_different(source: MachinePath, target: MachinePath) -> None:
    """Refuse equal paths: scp would empty the file."""
    path = posixpath.normpath(source.path)
    if source.place == target.place != "" and posixpath.normpath(target.path) in {path, posixpath.dirname(path) or "."}:
        raise UsageError(f"{source} and {target} are the same", Hint("Name another target"))


def scp_command(files: SSHFiles, paths: Sequence[MachinePath]) -> list[str]:
    """Copy between two hosts through this computer."""
    answer = query_program(["ssh", "-V"], QUERY_SECONDS)
    is_old = bool(answer and re.match(OLD_OPENSSH, answer.stderr))
    if is_old:
        paths = [path._replace(path=re.sub(SPECIAL, r"\\\g<0>", path.path)) if path.machine else path for path in paths]
    # By default, scp runs an ssh from a compiled-in path.
    command = ["scp", *([] if is_old else ["-s"]), "-F", files.config, "-S", files.program]
    if paths[-1].machine and any(path.machine for path in paths[:-1]):
        command.append("-3")
    return [*command, "--", *map(str, paths)]


def rsync_command(files: SSHFiles, paths: Sequence[MachinePath], *, quiet: bool) -> list[str]:
    """Copy what changed in size or time. One side must be local."""
    progress = ["-q"] if quiet else ["--progress"] if sys.stdout.isatty() else []
    # In -e, rsync reads two quotes as one.
    program, config = ("'" + text.replace("'", "''") + "'" for text in (files.program, files.config))
    return ["rsync", "-lts", *progress, "-e", f"{program} -F {config}", "--", *map(str, paths)]


def mounts(store: Store) -> list[tuple[str, str]]:
    """Return what sshfs has mounted of this store's machines, and where."""
    answer = query_program(["mount"], QUERY_SECONDS)
    mounted = MOUNTED.findall(answer.stdout.decode(errors="replace")) if answer else []
    names = set(store.names())
    return [(source, place) for source, place in mounted if source.partition(":")[0].rpartition("@")[2] in names]


def mount(store: Store, console: Console, source: str, target: str = "") -> None:
    """Mount `source` ([user@]machine:path) on `target` or, like docker-machine, on the same path.

    Raises SSHError if login fails.
    """
    remote = parse_machine_path(store, source)
    place = target or remote.path
    if remote.machine is None or not place:
        what = "is not a path on a machine" if remote.machine is None else "names no directory to mount on"
        raise UsageError(f"{source} {what}", Hint("", "machinectl mount <NAME>:<PATH> <DIR>"))
    if not find_program("sshfs"):
        raise MachineError(
            "sshfs is not installed on this computer",
            Hint("Install the package sshfs; on Fedora and RHEL fuse-sshfs; on macOS macFUSE and sshfs"),
        )
    # sshfs changes its working directory.
    place = os.path.abspath(place)
    check_mount_point(place, source)
    logins = [(remote.machine, remote.user)]
    # A file: sshfs, which works on in the background, would hold a pipe open.
    with temporary_ssh_config(store, logins, console, Login()) as files, tempfile.TemporaryFile() as output:
        command = ["sshfs", "-F", files.config, "-o", f"ssh_command={files.program}", str(remote), place]
        status = run_ssh_program(command, files, console, Login(), stderr=output)
        output.seek(0)
        said = output.read(MOST_SAID).decode(errors="replace")
    if status:
        look = Hint("See what is there", "machinectl ssh", remote.machine.name, "ls", "-ld", shlex.quote(remote.path))
        raise MachineError(f"sshfs cannot mount {remote} on {place}: {last_error_line(said)}", look)
    if said.strip():
        console.note(said.strip())


def check_mount_point(place: str, source: str) -> None:
    """Raise MachineError for a directory with files: a mount would hide them, and this computer may need them."""
    if os.path.ismount(place):
        raise MachineError(f"Something is already mounted on {place}", Hint("Unmount it", "machinectl mount -u", place))
    if not os.path.isdir(place) or not os.access(place, os.R_OK) or os.listdir(place):
        other = Hint("or name another one", "machinectl mount", source, "<DIR>")
        first = Hint("See", "ls -la", place) if os.path.lexists(place) else Hint("Create one", "mkdir -p", place)
        raise MachineError(f"{place} is not an empty directory here", first | other)


def unmount(store: Store, source: str, target: str = "") -> None:
    """Accept the arguments of `mount`, or the mounted directory."""
    before, colon, path = source.partition(":")
    place = target or (path if colon and "/" not in before else source)
    if not place:
        raise UsageError("DIR is missing", Hint("Name it", "machinectl mount -u <DIR>") | LIST_MOUNTS)
    program = next((words for words in UNMOUNTS if find_program(words[0])), None)
    if program is None:
        raise MachineError("There is neither fusermount nor umount on this computer", Hint("Install the package fuse3"))
    command = [*program, os.path.abspath(place)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        if colon and "/" not in before:
            store.check_exists(before.rpartition("@")[2])
        why = last_error_line(done.stderr.decode(errors="replace"))
        raise MachineError(f"Cannot unmount {place}: {why}", LIST_MOUNTS | Hint("see what uses it", "fuser -vm", place))


def last_error_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else "it gives no reason"
