"""What a host is like at one moment, as far as it does not change by itself: to prove that nothing was changed.

Everything on its disk that differs from its image (its overlay's upper layer), what is in its memory file
systems, and its services and containers with the process that each began with.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

Snapshot = dict[str, tuple[str, str, str]]
"""Of a path: its mode, owner, and SHA256 or link target. Of `unit NAME`: its first process's state, PID and start, in
clock ticks since boot (proc_pid_stat(5)). Also `hostname` and `firewall`."""

# Systemd, logins and the engine write there by themselves.
_OWN_LIFE = (
    "/etc/.updated",
    "/run/containerd",
    "/run/dbus",
    "/run/docker",
    "/run/lock",
    "/run/log",
    "/run/motd.dynamic",
    "/run/sudo",
    "/run/systemd",
    "/run/udev",
    "/run/user",
    "/run/utmp",
    "/tmp/systemd-private-",
    "/var/.updated",
    "/var/cache/private",
    "/var/lib/containerd",
    "/var/lib/dbus",
    "/var/lib/docker",
    "/var/lib/lastlog",
    "/var/lib/private",
    "/var/lib/sudo",
    "/var/lib/systemd",
    "/var/lib/wtmpdb",
    "/var/log",
    "/var/tmp/systemd-private-",
)
_IN_MEMORY = ("/tmp", "/run", "/dev/shm")


def changed_files(upper: Path, layers: list[Path]) -> Snapshot:
    """What a host's disk holds that its image does not hold in just the same way."""
    found = _files(upper, "/")
    return {path: now for path, now in found.items() if now != _in_image(path, layers)}


def files_in_memory(root: Path) -> Snapshot:
    """What is in a running host's tmpfs; `root` is its `/` as this machine sees it."""
    return {path: now for top in _IN_MEMORY for path, now in _files(root, top).items()}


def running_units(payload: Path) -> Snapshot:
    """The services and containers that run in the cgroup of a host's systemd."""
    found: Snapshot = {}
    for unit in [*payload.glob("system.slice/*.service"), *payload.glob("system.slice/docker-*.scope")]:
        if processes := _processes(unit):
            start, pid = min(processes)
            found[f"unit {unit.name}"] = ("running", str(pid), str(start))
    return found


def _files(root: Path, top: str) -> Snapshot:
    found: Snapshot = {}
    for directory, directories, files in os.walk(root / top.lstrip("/")):
        names = {name: os.path.normpath(f"/{os.path.relpath(directory, root)}/{name}") for name in directories + files}
        steady = {name: path for name, path in names.items() if not path.startswith(_OWN_LIFE)}
        directories[:] = [name for name in directories if name in steady]
        for name, path in steady.items():
            with contextlib.suppress(FileNotFoundError):  # it was a temporary file
                found[path] = _describe(Path(directory, name))
    return found


def _describe(file: Path) -> tuple[str, str, str]:
    status = file.lstat()
    content = ""
    if stat.S_ISLNK(status.st_mode):
        content = str(file.readlink())
    elif stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
    return stat.filemode(status.st_mode), f"{status.st_uid}:{status.st_gid}", content


def _in_image(path: str, layers: list[Path]) -> tuple[str, str, str] | None:
    for layer in layers:
        file = layer / path.lstrip("/")
        if os.path.lexists(file):
            return _describe(file)
    return None


def _processes(unit: Path) -> list[tuple[int, int]]:
    """When each process of a unit began, and its PID. A program that the unit runs for a moment may end meanwhile."""
    found = []
    with contextlib.suppress(OSError):  # the unit, or what is below it, ended
        for file in unit.rglob("cgroup.procs"):
            for pid in file.read_text().split():
                with contextlib.suppress(OSError):
                    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    found.append((int(after_name[19]), int(pid)))
    return found
