"""A host's health, for `doctor` and `info`: disks, memory, load, pending reboot, replaced programs."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from machinectl.errors import Hint, MachineError
from machinectl.provision.scripts import read_answer, resource


class FileSystem(NamedTuple):
    """Sizes in KiB, inode counts (0 if unlimited), and a directory. `used` + `free` may be less."""

    size: int
    free: int
    inodes: int
    inodes_free: int
    device: str
    directory: str
    used: int = 0


class Memory(NamedTuple):
    """Memory in KiB; `available` excludes swap (proc_meminfo(5))."""

    total: int
    available: int
    swap: int
    swap_free: int


@dataclass(frozen=True)
class Health:
    """Health at one moment.

    `reboot`: packages that need one, None if none. `replaced`: running programs with an upgraded file. `interrupted`:
    dpkg was. `data`: the disk of the engine's data. `load`: of 1, 5 and 15 minutes. `uptime`: in seconds.
    """

    disks: tuple[FileSystem, ...]
    memory: Memory
    reboot: tuple[str, ...] | None = None
    replaced: tuple[str, ...] = ()
    interrupted: bool = False
    data: FileSystem | None = None
    load: tuple[float, ...] = ()
    uptime: float | None = None


LARGEST = 2**63 - 1
Number = TypeVar("Number", int, float)


def health_command(root: str) -> str:
    """Return the script; `root` is the engine's data directory."""
    return f"root={shlex.quote(root)}\n{resource('health.sh')}"


def number(word: str, kind: type[Number]) -> Number:
    value = kind(word)
    if not abs(value) <= LARGEST:
        raise ValueError("more than 64 bits")
    return value


def count(word: str) -> int:
    return number(word, int)


def disk(words: list[str]) -> FileSystem:
    size, free, used, inodes, inodes_free = map(count, words[:5])
    return FileSystem(size, free, inodes, inodes_free, words[5], " ".join(words[6:]), used)


def parse_health(output: bytes) -> Health:
    found = read_answer(output, "The host's health")
    try:
        disks = [disk(words) for words in found.each("disk")]
        memory = Memory(*map(count, found.words("memory")))
        load = tuple(number(word, float) for word in found.words("load"))
        uptime = number(found.word("uptime"), float) if "uptime" in found else None
    except (ValueError, IndexError, TypeError) as exc:
        raise MachineError("The host's answer is invalid", Hint("Try again with --debug")) from exc
    # Keep the first directory of each file system.
    return Health(
        tuple({disk.device: disk for disk in reversed(disks)}.values())[::-1],
        memory,
        tuple(found.words("reboot")) if "reboot" in found else None,
        tuple(sorted(found.firsts("replaced"))),
        "interrupted" in found,
        disks[-1] if disks else None,
        load,
        uptime,
    )
