"""A host's health, for `doctor` and `info`: disks, memory, load, pending reboot, replaced programs."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import NamedTuple

from machinectl.errors import Hint, MachineError
from machinectl.provision.facts.sections import parse_sections, read_answer
from machinectl.provision.scripts import resource


class FileSystem(NamedTuple):
    """Sizes in KiB, inode counts (0 if unlimited), and a directory."""

    size: int
    free: int
    inodes: int
    inodes_free: int
    device: str
    directory: str


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
    dpkg was.
    """

    disks: tuple[FileSystem, ...]
    memory: Memory
    reboot: tuple[str, ...] | None = None
    replaced: tuple[str, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True)
class DataDisk:
    """Bytes; `used` + `free` may be below `total`: root has reserved space."""

    path: str
    total: int
    used: int
    free: int


@dataclass(frozen=True)
class Vitals:
    """Load (1, 5, 15 minutes), uptime (seconds), memory (bytes); None if unreadable."""

    disk: DataDisk | None = None
    load: tuple[float, ...] | None = None
    uptime: float | None = None
    available: int | None = None


LARGEST = 2**63 - 1
NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", re.ASCII)
# Falls back to / if `place` is missing or hidden.
VITALS = """\
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
export LC_ALL PATH
exec 2>/dev/null </dev/null
for place in {place} /; do
    disk=$(df -P -k "$place" | awk 'NR == 2 {{ print $2, $3, $4 }}')
    [ "$disk" ] && echo "@disk $disk $place" && break
done
read -r one five fifteen rest </proc/loadavg && echo "@load $one $five $fifteen"
read -r up rest </proc/uptime && echo "@uptime $up"
awk '$1 == "MemAvailable:" {{ print "@available", $2 }}' /proc/meminfo
"""
BEGIN = b"\n@begin health\n"


def with_health(other: str, root: str) -> str:
    """Return a script that runs `other`, then reads the health."""
    return f"(\n{other}\n)\n{health_command(root)}"


def split_output(output: bytes) -> tuple[bytes, bytes]:
    """Separate the other script's output from ours."""
    before, begin, rest = output.rpartition(BEGIN)
    return (before, begin + rest) if begin else (output, b"")


def health_command(root: str) -> str:
    """Return the script; `root` is the engine's data directory."""
    return f"root={shlex.quote(root)}\n{resource('health.sh')}"


def checked_number(word: str) -> int:
    value = int(word)
    if abs(value) > LARGEST:
        raise ValueError("more than 64 bits")
    return value


def disk(words: list[str]) -> FileSystem:
    size, free, inodes, inodes_free = map(checked_number, words[:4])
    return FileSystem(size, free, inodes, inodes_free, words[4], " ".join(words[5:]))


def parse_health(output: bytes) -> Health:
    """Parse the output. Raises MachineError."""
    found = read_answer(output, "The host's health")
    try:
        disks = [disk(words) for words in found.each("disk")]
        memory = Memory(*map(checked_number, found.words("memory")))
    except (ValueError, IndexError, TypeError) as exc:
        raise MachineError("The host's answer is invalid", Hint("Try again with --debug")) from exc
    # Keep the first directory of each file system.
    return Health(
        tuple({disk.device: disk for disk in reversed(disks)}.values())[::-1],
        memory,
        tuple(found.words("reboot")) if "reboot" in found else None,
        tuple(sorted(found.firsts("replaced"))),
        "interrupted" in found,
    )


def vitals_command(directory: str) -> str:
    """Return a script that needs no root; `directory` holds the engine's data."""
    return VITALS.format(place=shlex.quote(directory))


def parse_vitals(text: str) -> Vitals:
    found = parse_sections(text)
    place = found.words("disk")[3:]
    sizes, load = numbers(found.words("disk")[:3], 3), numbers(found.words("load"), 3)
    up, memory = numbers(found.words("uptime"), 1), numbers(found.words("available"), 1)
    return Vitals(
        disk=DataDisk(" ".join(place), *(int(size) * 1024 for size in sizes)) if sizes and place else None,
        load=tuple(load) or None,
        uptime=up[0] if up else None,
        available=int(memory[0]) * 1024 if memory else None,
    )


def numbers(words: list[str], count: int) -> list[float]:
    """Convert exactly `count` words, else []."""
    if len(words) != count or not all(map(NUMBER.fullmatch, words)):
        return []
    return [float(word) for word in words]
