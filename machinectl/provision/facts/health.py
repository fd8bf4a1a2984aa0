"""How a host fares, read by one remote command: the command, and what its answer means."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import NamedTuple

from machinectl.errors import MachineError
from machinectl.provision import resource
from machinectl.provision.facts.host_facts import MOST_LINES, each, sections


class FileSystem(NamedTuple):
    """A file system by a directory on it: sizes in KiB, inodes in numbers (0 of 0 where it has none of its own)."""

    size: int
    free: int
    inodes: int
    inodes_free: int
    device: str
    directory: str


class Memory(NamedTuple):
    """In KiB; `available` is what programs can have without swapping (proc_meminfo(5))."""

    total: int
    available: int
    swap: int
    swap_free: int


@dataclass(frozen=True)
class Health:
    """How a host fares at one moment.

    `reboot` names the packages that wait for one, None where none does; `replaced` are programs that run on although
    their file was replaced, by an upgrade.
    """

    disks: tuple[FileSystem, ...]
    memory: Memory
    reboot: tuple[str, ...] | None = None
    replaced: tuple[str, ...] = ()


# A kernel counts in 64 bits.
LARGEST = 2**63 - 1
# Where it begins in the output of several scripts.
BEGIN = b"\n@begin health\n"


def after(other: str, root: str) -> str:
    """A script that reads how a host fares after another one that reads it; `split` takes what they say apart."""
    return f"(\n{other}\n)\n{command(root)}"


def split(output: bytes) -> tuple[bytes, bytes]:
    """What the other script said, and what this one did."""
    before, begin, rest = output.rpartition(BEGIN)
    return (before, begin + rest) if begin else (output, b"")


def command(root: str) -> str:
    """The shell script that reads how a host fares; `root` is the directory of its engine's data."""
    return f"root={shlex.quote(root)}\n{resource('health.sh')}"


def number(word: str) -> int:
    value = int(word)
    if abs(value) > LARGEST:
        raise ValueError("no host has that many")
    return value


def disk(words: list[str]) -> FileSystem:
    size, free, inodes, inodes_free = map(number, words[:4])
    return FileSystem(size, free, inodes, inodes_free, words[4], " ".join(words[5:]))


def parse(output: bytes) -> Health:
    """Read what the script printed. Raises MachineError where it is cut, or no such answer."""
    found = sections(output.decode(errors="replace")) if output.count(b"\n") <= MOST_LINES else {}
    if "begin" not in found or "end" not in found:
        raise MachineError("How the host fares could not be read: the answer is incomplete", "Try again with --debug")
    try:
        disks = [disk(words) for words in each(found, "disk")]
        memory = Memory(*map(number, found["memory"][0].words))
    except (ValueError, IndexError, KeyError, TypeError) as exc:
        raise MachineError("The host's answer cannot be understood", "See what it answers: --debug") from exc
    # Of several directories on one file system the first speaks for it.
    return Health(
        tuple({disk.device: disk for disk in reversed(disks)}.values())[::-1],
        memory,
        tuple(found["reboot"][0].words) if "reboot" in found else None,
        tuple(sorted({words[0] for words in each(found, "replaced") if words})),
    )
