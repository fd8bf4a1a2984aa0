"""Copy files to and from hosts with the system's scp or rsync, and mount their directories with sshfs."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

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

# The first OpenSSH whose scp has -s for SFTP, so that no shell on the host reads a path.
SPEAKS_SFTP = (8, 7)
OLD_SCP = ["scp"]
ASK_SECONDS = 30.0
# rsync's exit status if the host has no rsync (RERR_STREAMIO, RERR_CMD_NOTFOUND). The remote shell prints the error.
NOT_STARTED = {12, 127}
# docker-machine's name for this computer, never a machine's.
HERE = "localhost"
# What a shell reads as more than a letter of a file's name or of a pattern.
SPECIAL = r"[^\w\x80-\U0010ffff@%+=:,./~*?\[\]-]"
# Programs that unmount without root: FUSE 3, FUSE 2 and macOS.
UNMOUNTS = (("fusermount3", "-u", "--"), ("fusermount", "-u", "--"), ("umount",))
LIST_MOUNTS = Hint("List what is mounted", "machinectl mount")
# A line of `mount`, on Linux and on macOS: what is mounted, and where.
MOUNTED = re.compile(r"^(.+?) on (.+?) (?:type fuse\.sshfs |\((?:mac|osx)fuse)", re.MULTILINE)
SECONDS = 10
# Bytes of sshfs's output.
MOST_SAID = 1 << 16


@dataclass(frozen=True)
class MachinePath:
    """A local path if `machine` is None. `user` overrides the login user."""

    path: str
    machine: Machine | None = None
    user: str = ""

    @property
    def login(self) -> tuple[str, str]:
        """Machine name and user ("": default), which share a connection."""
        return (self.machine.name if self.machine else "", self.user)

    @property
    def place(self) -> str:
        name, user = self.login
        return f"{user}@{name}" if user else name

    def word(self, *, for_shell: bool = False) -> str:
        """Return the argument for scp and rsync. A local path never looks like HOST:PATH or an option.

        `for_shell`: a shell on the host reads the path.
        """
        if self.machine:
            path = re.sub(SPECIAL, r"\\\g<0>", self.path) if for_shell else self.path
            return f"{self.place}:{path}"
        # As typed, if possible: scp and rsync name it in their errors.
        is_plain = self.path and not self.path.startswith("-") and ":" not in self.path
        return self.path if is_plain or self.path.startswith("/") else f"./{self.path}"

    def __str__(self) -> str:
        return self.word() if self.machine else self.path


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


@dataclass(frozen=True)
class CopyOptions:
    recursive: bool = False
    preserve: bool = False
    quiet: bool = False

    @property
    def flags(self) -> list[str]:
        wanted = {"-r": self.recursive, "-p": self.preserve}
        return [flag for flag, is_wanted in wanted.items() if is_wanted]


def copy_files(
    store: Store, console: Console, words: Sequence[str], wishes: CopyOptions, login: Login, *, delta: bool = False
) -> int:
    """Copy to the last of `words`; return the exit status.

    scp follows links; rsync (`delta`) keeps them and sends only differences. Raises SSHError, and UsageError without a
    machine.
    """
    *sources, target = paths = [parse_machine_path(store, word) for word in words]
    machines = list({path.machine.name: path.machine for path in paths if path.machine}.values())
    if not machines:
        raise UsageError(
            f"No path is on a machine: {shlex.join(words)}",
            Hint("One is written <NAME>:<PATH>; within this computer: cp"),
        )
    for source in sources:
        check_different(source, target)
    program = "rsync" if delta else "scp"
    if delta:
        check_rsync(sources, target, wishes)
    if not find_program(program):
        package = "the package rsync, or leave out -d" if delta else "the OpenSSH client"
        raise MachineError(f"{program} is not installed on this computer", Hint(f"Install {package}"))
    with temporary_ssh_config(store, machines, console, login, [path.login for path in paths]) as files:
        command = rsync_command(files, paths, wishes) if delta else scp_command(files, paths, wishes)
        status = run_ssh_program(command, files, machines, console, login, quiet=wishes.quiet)
    if delta and status in NOT_STARTED:
        console.note("rsync has ended early", Hint("If the host has no rsync, install it there, or leave out -d"))
    return status


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


def scp_command(files: SSHFiles, paths: Sequence[MachinePath], wishes: CopyOptions) -> list[str]:
    """Copy between two hosts through this computer."""
    is_old = openssh_version() < SPEAKS_SFTP
    command = [*OLD_SCP] if is_old else ["scp", "-s"]
    # By default, scp runs an ssh from a compiled-in path.
    command += ["-F", files.config, "-S", files.program, *wishes.flags]
    if paths[-1].machine and any(path.machine for path in paths[:-1]):
        command.append("-3")
    return [*command, "--", *(path.word(for_shell=is_old) for path in paths)]


def rsync_command(files: SSHFiles, paths: Sequence[MachinePath], wishes: CopyOptions) -> list[str]:
    """Copy what changed in size or time. One side must be local."""
    progress = ["-q"] if wishes.quiet else ["--progress"] if sys.stdout.isatty() else []
    # In -e, rsync reads two quotes as one.
    program, config = ("'" + text.replace("'", "''") + "'" for text in (files.program, files.config))
    words = [path.word() for path in paths]
    return [
        "rsync",
        "-lts",
        *wishes.flags,
        *progress,
        *["-q"] * wishes.quiet,
        "-e",
        f"{program} -F {config}",
        "--",
        *words,
    ]


def openssh_version() -> tuple[int, int]:
    answer = query_program(["ssh", "-V"], ASK_SECONDS)
    found = re.match(r"OpenSSH\D*(\d+)\.(\d+)", answer.stderr.decode(errors="replace")) if answer else None
    return (int(found[1]), int(found[2])) if found else (0, 0)


def mounts(store: Store) -> list[tuple[str, str]]:
    """Return what sshfs has mounted of this store's machines, and where."""
    answer = query_program(["mount"], SECONDS)
    mounted = MOUNTED.findall(answer.stdout.decode(errors="replace")) if answer else []
    names = set(store.names())
    return [(source, place) for source, place in mounted if source.partition(":")[0].rpartition("@")[2] in names]


def mount(store: Store, console: Console, source: str, target: str = "") -> str:
    """Mount `source` ([user@]machine:path); return the directory.

    Without a target, use the same path, like docker-machine. Raises SSHError if login fails.
    """
    remote = parse_machine_path(store, source)
    if remote.machine is None:
        path = "<PATH>" if store.exists(source) else shlex.quote(source)
        name = source if store.exists(source) else "<NAME>"
        raise UsageError(f"{source} is not a path on a machine", Hint("", f"machinectl mount {name}:{path} <DIR>"))
    place = mount_point(remote, target)
    if not find_program("sshfs"):
        raise MachineError(
            "sshfs is not installed on this computer",
            Hint("Install the package sshfs; on Fedora and RHEL fuse-sshfs; on macOS macFUSE and sshfs"),
        )
    check_mount_point(place, source)
    # A file: sshfs, which works on in the background, would hold a pipe open.
    with temporary_ssh_config(store, [remote.machine], console, Login()) as files, tempfile.TemporaryFile() as output:
        command = ["sshfs", "-F", files.config, "-o", f"ssh_command={files.program}", remote.word(), place]
        status = run_ssh_program(command, files, [remote.machine], console, Login(), stderr=output)
        output.seek(0)
        said = output.read(MOST_SAID).decode(errors="replace")
    if status:
        look = Hint("See what is there", "machinectl ssh", remote.machine.name, "ls", "-ld", shlex.quote(remote.path))
        raise MachineError(f"sshfs cannot mount {remote} on {place}: {last_error_line(said)}", look)
    if said.strip():
        console.note(said.strip())
    return place


def check_mount_point(place: str, source: str) -> None:
    """Raise MachineError for a directory with files: a mount would hide them, and this computer may need them."""
    other = Hint("Name an empty directory", "machinectl mount", source, "<DIR>")
    if not os.path.lexists(place):
        raise MachineError(f"{place} is not there", Hint("Create it", "mkdir -p", place))
    if not os.path.isdir(place):
        raise MachineError(f"{place} is not a directory", other)
    if os.path.ismount(place):
        raise MachineError(f"Something is already mounted on {place}", Hint("Unmount it", "machinectl mount -u", place))
    if not os.access(place, os.R_OK) or os.listdir(place):
        raise MachineError(f"{place} is not empty here, and a mount would hide its files", other)


def unmount(store: Store, source: str, target: str = "") -> str:
    """Accept the arguments of `mount`, or the mounted directory."""
    if not (source or target):
        raise UsageError("DIR is missing", Hint("Name it", "machinectl mount -u <DIR>") | LIST_MOUNTS)
    before, colon, _ = source.partition(":")
    if target:
        place = os.path.abspath(target)
    elif not colon or "/" in before:
        place = source
    else:
        place = mount_point(parse_machine_path(store, source), "")
    program = next((words for words in UNMOUNTS if find_program(words[0])), None)
    if program is None:
        raise MachineError("There is neither fusermount nor umount on this computer", Hint("Install the package fuse3"))
    done = subprocess.run(
        [*program, place], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode and is_free(place):
        raise MachineError(f"Nothing is mounted on {place}", LIST_MOUNTS)
    if done.returncode:
        raise MachineError(
            f"Cannot unmount {place}: {last_error_line(done.stderr)}", Hint("See what uses it", "fuser -vm", place)
        )
    return place


def is_free(place: str) -> bool:
    """Treat an unreadable path as mounted: its host may be gone."""
    try:
        os.lstat(place)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not os.path.ismount(place)


def mount_point(remote: MachinePath, target: str) -> str:
    """Return an absolute path: sshfs changes its working directory."""
    path = target or remote.path
    if not path:
        raise UsageError("Where to mount it is missing", Hint("", "machinectl mount", str(remote), "<DIR>"))
    return os.path.abspath(path)


def last_error_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else "it gives no reason"
