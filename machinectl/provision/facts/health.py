"""A host's health: disks, memory, pending reboot, replaced programs."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import NamedTuple

from machinectl.errors import MachineError
from machinectl.provision import resource
from machinectl.provision.facts.host_facts import MOST_LINES, section_words, sections


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

    `reboot`: packages that need one, None if none. `replaced`: running programs with an upgraded file.
    """

    disks: tuple[FileSystem, ...]
    memory: Memory
    reboot: tuple[str, ...] | None = None
    replaced: tuple[str, ...] = ()


LARGEST = 2**63 - 1
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
    found = sections(output.decode(errors="replace")) if output.count(b"\n") <= MOST_LINES else {}
    if "begin" not in found or "end" not in found:
        raise MachineError("The host's health could not be read: the answer is incomplete", "Try again with --debug")
    try:
        disks = [disk(words) for words in section_words(found, "disk")]
        memory = Memory(*map(checked_number, found["memory"][0].words))
    except (ValueError, IndexError, KeyError, TypeError) as exc:
        raise MachineError("The host's answer is invalid", "Try again with --debug") from exc
    # Keep the first directory of each file system.
    return Health(
        tuple({disk.device: disk for disk in reversed(disks)}.values())[::-1],
        memory,
        tuple(found["reboot"][0].words) if "reboot" in found else None,
        tuple(sorted({words[0] for words in section_words(found, "replaced") if words})),
    )
