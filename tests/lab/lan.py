"""A lab: the hosts on one bridge, from the first to the last."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import cgroup, image
from tests.lab.command import LabError, launch, sh
from tests.lab.host import Host
from tests.lab.network import Network
from tests.lab.place import CHECKOUT, RUN
from tests.lab.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAYGROUND = 1
"""The lab of `make lab`, which stays until it is taken down; those of test runs have other numbers."""
_CLAIMED = range(2, 100)
_HOSTS = 240
# Linux lets a user have 128 inotify instances, of which each host's systemd and its services take a dozen, as root.
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_WATCHERS = 2048
# Of memory that is free, for hosts' files: a host that installs an engine writes 0.3 GB, and ten may run at once.
_ROOM = 8 << 30


class Lab:
    """One of the labs of this machine; its number is in the name of everything that it makes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.network = Network(number)
        self._directory = RUN / str(number)

    @property
    def gateway(self) -> str:
        """This machine, as the hosts see it."""
        return self.network.gateway

    @classmethod
    def claim(cls) -> Lab:
        """A lab that nobody else has, until this process ends, however it ends: then a guard takes it down."""
        RUN.mkdir(parents=True, exist_ok=True)
        for number in _CLAIMED:
            with (RUN / f"{number}.lock").open("w") as lock, contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lab = cls(number)
                lab.down()  # what the last one left, if its guard was killed, too
                lab._start_guard(lock.fileno())
                return lab
        raise LabError(f"all labs are taken: see {RUN}")

    def _start_guard(self, lock: int) -> None:
        """The guard inherits the lock: the number is free again when it is done."""
        guard = [sys.executable, "-m", "tests.lab", "guard", str(self.number), str(os.getpid())]
        launch(guard, RUN / f"{self.number}.guard.log", cwd=CHECKOUT, pass_fds=[lock])

    def guard(self, owner: int) -> None:
        """Wait for a process to end, and take the lab down."""
        with contextlib.suppress(ProcessLookupError):
            select.select([os.pidfd_open(owner)], [], [])
        self.down()

    def up(self, variants: Sequence[str] = (), suite: str = "trixie", count: int = 1) -> list[Host]:
        """Boot new hosts and wait until they let users in; images are built first where there are none."""
        lower = self._ready(variants, suite)
        make_room()
        new = [Host(self.number, number, suite, tuple(variants), lower) for number in self._free()[:count]]
        for host in new:
            host.create()
            host.boot()
        for host in new:
            host.wait_ssh()
        return new

    def up_for(self, owner: str, variants: Sequence[str] = (), suite: str = "trixie") -> Host:
        """The one host of an owner, which lets users in: made, or finished where whoever made it was killed."""
        lower = self._ready(variants, suite)
        make_room()
        host = Host(self.number, self.owners().get(owner) or self._give_number(owner), suite, tuple(variants), lower)
        if not host.is_made:
            host.remove()
            host.create()
        if not host.is_on:
            host.poweroff()  # one that is just about to boot
            host.boot()
        host.wait_ssh()
        return host

    def host_of(self, owner: str) -> Host | None:
        """The host that was made for an owner; None where there is none, or only half of one."""
        number = self.owners().get(owner)
        return next((host for host in self.hosts() if host.number == number), None)

    def remove_of(self, owner: str) -> None:
        """Take away what was made for an owner, however much of it there is."""
        number = self.owners().get(owner)
        if number:
            Host(self.number, number, "", (), "").remove()
            (self._directory / f"h{number}.owner").unlink()

    def owners(self) -> dict[str, int]:
        """Those that hosts are for, with the hosts' numbers, whether they are made already or not."""
        found = {}
        for link in self._directory.glob("h*.owner"):
            with contextlib.suppress(FileNotFoundError):  # just taken away
                found[os.readlink(link)] = int(link.stem[1:])
        return found

    def of_hosts(self) -> set[str]:
        """What is on this machine of hosts, also of those that are there by halves: files, network, processes."""
        mine = (f"link {self.network.bridge}v", f"{self.network.bridge}-h")
        network = {one for one in self.network.left() if one.startswith(mine)}
        # Directories only: beside the hosts' cgroups lie the kernel's own files, some of them hugetlb.*.
        groups = {f"cgroup {path.name}" for path in cgroup.paths(self.network.bridge)[0].glob("h*") if path.is_dir()}
        return network | groups | {str(path) for path in self._directory.glob("h*")}

    def _ready(self, variants: Sequence[str], suite: str) -> str:
        """Have the image and the network that hosts need; the overlay's `lowerdir=`."""
        unknown = [name for name in variants if name not in VARIANTS]
        if unknown:
            raise LabError(f"no variant {', '.join(unknown)}; there are: {', '.join(VARIANTS)}")
        lower = image.lower(suite, variants)
        self.network.up()
        self._directory.mkdir(parents=True, exist_ok=True)
        if not any(self._directory.iterdir()) and not self._directory.is_mount() and _free_memory() >= _ROOM:
            # On a disk, what hosts write and sync takes a tenth of their CPU time, and they wait for it.
            sh("mount", "-t", "tmpfs", "-o", "mode=755", "lab", self._directory)
        return lower

    def _free(self) -> list[int]:
        taken = {host.number for host in self.hosts()} | set(self.owners().values())
        return [number for number in range(1, _HOSTS + 1) if number not in taken]

    def _give_number(self, owner: str) -> int:
        """Give an owner a number that nobody else gets: the link appears with what it says, or not at all."""
        for number in self._free():
            with contextlib.suppress(FileExistsError):
                (self._directory / f"h{number}.owner").symlink_to(owner)
                return number
        raise LabError(f"lab {self.number} is full")

    def hosts(self) -> list[Host]:
        found = []
        for file in self._directory.glob("*/host.json"):
            with contextlib.suppress(FileNotFoundError):  # just taken away
                found.append(Host.load(self.number, file))
        return sorted(found, key=lambda host: host.number)

    def host(self, name: str) -> Host:
        for host in self.hosts():
            if host.name == name:
                return host
        raise LabError(f"no host {name}; there are: {', '.join(host.name for host in self.hosts()) or 'none'}")

    def down(self) -> None:
        """End and remove everything, whatever state it is in. Raises `LabError` if something is left."""
        cgroup.end(self.network.bridge)
        self.network.down()
        if self._directory.is_mount():
            sh("umount", "--lazy", self._directory)
        shutil.rmtree(self._directory, ignore_errors=True)
        left = self.left()
        if left:
            raise LabError("left over:\n" + "\n".join(left))

    def left(self) -> list[str]:
        """What is on this machine of this lab."""
        groups = [f"cgroup {path}" for path in cgroup.paths(self.network.bridge) if path.exists()]
        inside = f"{self._directory}/"
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        directory = [f"directory {self._directory}"] if self._directory.exists() else []
        processes = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if inside.encode() in (process / "cmdline").read_bytes():
                    processes.append(f"process {process.name}")
        mounted = [f"mount {path}" for path in mounts if path.startswith(inside)]
        return groups + self.network.left() + mounted + directory + processes


def _free_memory() -> int:
    """How many bytes of memory programs can have."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) << 10


def make_room() -> None:
    """Let this machine's root watch as many files as the systemds of many hosts do; it never has fewer for it."""
    if int(_INOTIFY.read_text()) < _WATCHERS:
        _INOTIFY.write_text(str(_WATCHERS))
