"""How a host is doing now: what reads it, as whoever logged in, and what the answer means."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

# `place` is a directory whose disk counts; where it is not there, or not to be seen, the root's does.
SCRIPT = """\
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
export LC_ALL PATH
exec 2>/dev/null </dev/null
for place in {place} /; do
    disk=$(df -P -k "$place" | awk 'NR == 2 {{ print $2, $3, $4 }}')
    [ "$disk" ] && echo "disk $disk $place" && break
done
read -r one five fifteen rest </proc/loadavg && echo "load $one $five $fifteen"
read -r up rest </proc/uptime && echo "uptime $up"
awk '$1 == "MemAvailable:" {{ print "available", $2 }}' /proc/meminfo
"""
NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", re.ASCII)


@dataclass(frozen=True)
class DataDisk:
    """A file system, in bytes; what is `used` and what is `free` need not be all: some of it is root's alone."""

    path: str
    total: int
    used: int
    free: int


@dataclass(frozen=True)
class Vitals:
    """What was read; None where it could not be. The load of 1, 5 and 15 minutes; seconds; bytes of memory."""

    disk: DataDisk | None = None
    load: tuple[float, ...] | None = None
    uptime: float | None = None
    available: int | None = None


def command(directory: str) -> str:
    """What a host is sent: the script, for the disk that a directory is on."""
    return SCRIPT.format(place=shlex.quote(directory))


def vitals(text: str) -> Vitals:
    """What it answered. Lines that are not of it count for nothing."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, *words = line.split(" ", 4)
        found.setdefault(name, words)
    load, up = numbers(found.get("load", []), 3), numbers(found.get("uptime", []), 1)
    sizes, memory = numbers(found.get("disk", [])[:3], 3), numbers(found.get("available", []), 1)
    return Vitals(
        disk=DataDisk(found["disk"][3], *(int(size) * 1024 for size in sizes)) if sizes and found["disk"][3:] else None,
        load=tuple(load) or None,
        uptime=up[0] if up else None,
        available=int(memory[0]) * 1024 if memory else None,
    )


def numbers(words: list[str], count: int) -> list[float]:
    """So many numbers, none where one of them is no number."""
    if len(words) != count or not all(map(NUMBER.fullmatch, words)):
        return []
    return [float(word) for word in words]
