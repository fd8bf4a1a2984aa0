"""A host's disk, load and memory, read without root."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

# Falls back to / if `place` is missing or hidden.
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


def vitals_command(directory: str) -> str:
    return SCRIPT.format(place=shlex.quote(directory))


def parse_vitals(text: str) -> Vitals:
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
    """Convert exactly `count` words, else []."""
    if len(words) != count or not all(map(NUMBER.fullmatch, words)):
        return []
    return [float(word) for word in words]
