"""The cgroups that hold a host's processes: how they are ended and removed, whoever started them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.lab.command import LabError

_HYBRID = Path("/sys/fs/cgroup/unified")
_UNIFIED = _HYBRID if _HYBRID.is_mount() else Path("/sys/fs/cgroup")
_SYSTEMD = Path("/sys/fs/cgroup/systemd")


def paths(name: str) -> list[Path]:
    """The cgroup of that name in each hierarchy that systemd uses; the first is of cgroup v2."""
    return [_UNIFIED / name] + ([_SYSTEMD / name] if _SYSTEMD.is_mount() else [])


def create(name: str) -> list[Path]:
    made = paths(name)
    for path in made:
        path.mkdir(parents=True, exist_ok=True)
    return made


def end(name: str, timeout: float = 15) -> None:
    """SIGKILL all that is in a cgroup, at once and without a race, wait until it is empty, and remove it."""
    group = paths(name)[0]
    deadline = time.monotonic() + timeout
    while group.exists():
        (group / "cgroup.kill").write_text("1")
        if _empty_within(group, 1):
            break
        if time.monotonic() > deadline:
            raise LabError(f"processes in {group} will not die")
    for path in paths(name):
        _remove(path)


def _empty_within(group: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while "populated 0" not in (group / "cgroup.events").read_text():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _remove(path: Path) -> None:
    for directory, _, _ in os.walk(path, topdown=False):
        for _attempt in range(50):  # busy until the kernel is done with its last process
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.02)
            else:
                break
