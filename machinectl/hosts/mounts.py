"""Mount hosts' directories here with sshfs, unmount them, and list what is mounted."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

from machinectl.console import SilentConsole
from machinectl.errors import Hint, MachineError, UsageError, one_line
from machinectl.hosts.copying import parse_machine_path
from machinectl.hosts.login import Login
from machinectl.hosts.openssh_programs import run_ssh_program, temporary_ssh_config
from machinectl.process_streams import find_program, query_program

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.hosts.copying import MachinePath
    from machinectl.machines.store import Store

# Programs that unmount without root: FUSE 3, FUSE 2 and macOS.
UNMOUNTS = (("fusermount3", "-u", "--"), ("fusermount", "-u", "--"), ("umount",))
LIST_MOUNTS = Hint("List what is mounted", "machinectl mount")
# A line of `mount`, on Linux and on macOS: what is mounted, and where.
MOUNTED = re.compile(r"^(.+?) on (.+?) (?:type fuse\.sshfs |\((?:mac|osx)fuse)", re.MULTILINE)
SECONDS = 10


def mounts(store: Store) -> list[tuple[str, str]]:
    """Return what sshfs has mounted of this store's machines, and where."""
    answer = query_program(["mount"], SECONDS)
    mounted = MOUNTED.findall(answer.stdout.decode(errors="replace")) if answer else []
    names = set(store.names())
    return [(source, here) for source, here in mounted if source.partition(":")[0].rpartition("@")[2] in names]


def mount(store: Store, console: Console, source: str, target: str = "") -> str:
    """Mount `source` ([user@]machine:path); return the directory.

    Without a target, use the same path, like docker-machine. Raises SSHError if login fails.
    """
    there = parse_machine_path(store, source)
    if there.machine is None:
        path = "<PATH>" if store.exists(source) else shlex.quote(source)
        name = source if store.exists(source) else "<NAME>"
        raise UsageError(f"{source} is not a path on a machine", Hint("", f"machinectl mount {name}:{path} <DIR>"))
    here = mount_point(there, target)
    if not find_program("sshfs"):
        raise MachineError(
            "sshfs is not installed on this computer",
            Hint("Install the package sshfs; on Fedora and RHEL fuse-sshfs; on macOS macFUSE and sshfs"),
        )
    check_mount_point(here, source)
    with temporary_ssh_config(store, [there.machine], console, Login()) as files:
        command = ["sshfs", "-F", files.config, "-o", f"ssh_command={files.program}", there.word(), here]
        ended = run_ssh_program(command, files, [there.machine], SilentConsole(), Login())
    # The error below has the last line.
    lines = [line for line in ended.said.splitlines() if line.strip()]
    for line in lines[:-1] if ended.status else lines:
        console.note(line)
    if ended.status:
        look = Hint("See what is there", "machinectl ssh", there.machine.name, "ls", "-ld", shlex.quote(there.path))
        raise MachineError(f"sshfs cannot mount {there} on {here}: {last_error_line(ended.said)}", look)
    return here


def check_mount_point(here: str, source: str) -> None:
    """Raise MachineError for a directory with files: a mount would hide them, and this computer may need them."""
    other = Hint("Name an empty directory", "machinectl mount", source, "<DIR>")
    if not os.path.lexists(here):
        raise MachineError(f"{here} is not there", Hint("Create it", "mkdir -p", here))
    if not os.path.isdir(here):
        raise MachineError(f"{here} is not a directory", other)
    if os.path.ismount(here):
        raise MachineError(f"Something is already mounted on {here}", Hint("Unmount it", "machinectl mount -u", here))
    if not os.access(here, os.R_OK) or os.listdir(here):
        raise MachineError(f"{here} is not empty here, and a mount would hide its files", other)


def unmount(store: Store, source: str, target: str = "") -> str:
    """Accept the arguments of `mount`, or the mounted directory."""
    if not (source or target):
        raise UsageError("DIR is missing", Hint("Name it", "machinectl mount -u <DIR>") | LIST_MOUNTS)
    before, colon, _ = source.partition(":")
    if target:
        here = os.path.abspath(target)
    elif not colon or "/" in before:
        here = source
    else:
        here = mount_point(parse_machine_path(store, source), "")
    program = next((words for words in UNMOUNTS if find_program(words[0])), None)
    if program is None:
        raise MachineError("There is neither fusermount nor umount on this computer", Hint("Install the package fuse3"))
    done = subprocess.run(
        [*program, here], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode and is_free(here):
        raise MachineError(f"Nothing is mounted on {here}", LIST_MOUNTS)
    if done.returncode:
        raise MachineError(
            f"Cannot unmount {here}: {last_error_line(done.stderr)}", Hint("See what uses it", "fuser -vm", here)
        )
    return here


def is_free(here: str) -> bool:
    """Treat an unreadable path as mounted: its host may be gone."""
    try:
        os.lstat(here)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not os.path.ismount(here)


def mount_point(there: MachinePath, target: str) -> str:
    """Return an absolute path: sshfs changes its working directory."""
    path = target or there.path
    if not path:
        raise UsageError("Where to mount it is missing", Hint("", "machinectl mount", str(there), "<DIR>"))
    return os.path.abspath(path)


def last_error_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else "it gives no reason"
