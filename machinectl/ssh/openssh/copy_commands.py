"""The command lines of what copies and mounts by the system's ssh: scp(1), rsync(1), sshfs(1).

Each is handed a configuration (`ssh -F`) in which the machines' names are hosts. What a path is on a host, no shell
there gets to read: scp speaks SFTP, and rsync sends it in its own protocol.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    # Enters the copying of a file, of its name and its size in bytes; is told there how many have come so far.
    CopyProgress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

# The first OpenSSH whose scp speaks SFTP (with -s; since 9.0 always).
SPEAKS_SFTP = (8, 7)


@dataclass(frozen=True)
class CopyOptions:
    """How to copy: directories with all that is in them, modes and times kept, progress shown on a terminal."""

    recursive: bool = False
    preserve: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class CopyPath:
    """A path, here or on a host that the configuration knows; a user of "" is left to that."""

    path: str
    host: str = ""
    user: str = ""

    @property
    def word(self) -> str:
        """It as scp and rsync take it. A path here is never read as HOST:PATH, nor as an option."""
        if self.host:
            return f"{self.user}@{self.host}:{self.path}" if self.user else f"{self.host}:{self.path}"
        return self.path if self.path.startswith("/") else f"./{self.path}"


def scp_command(config: str, sources: Sequence[CopyPath], target: CopyPath, wishes: CopyOptions) -> list[str]:
    """Copies by scp. From one host to another all goes through here."""
    # Its own choice of an ssh is a path that was compiled into it.
    command = ["scp", "-s", "-F", config, "-S", "ssh"]
    command += ["-3"] if target.host and any(source.host for source in sources) else []
    command += flags(r=wishes.recursive, p=wishes.preserve, q=wishes.quiet)
    return [*command, "--", *(spot.word for spot in (*sources, target))]


def rsync_command(
    config: str, sources: Sequence[CopyPath], target: CopyPath, wishes: CopyOptions, *, progress: bool = False
) -> list[str]:
    """Copies by rsync what has changed, by size and time; links stay links. One side is here."""
    command = ["rsync", "-lts", *flags(r=wishes.recursive, p=wishes.preserve, q=wishes.quiet)]
    command += ["--progress"] if progress else []
    return [*command, "-e", f"ssh -F {rsyncs_word(config)}", "--", *(spot.word for spot in (*sources, target))]


def sshfs_command(config: str, source: CopyPath, target: str) -> list[str]:
    """Mounts a directory of a host on one that is here."""
    return ["sshfs", "-F", config, source.word, target]


def flags(**given: bool) -> list[str]:
    return [f"-{letter}" for letter, on in given.items() if on]


def rsyncs_word(text: str) -> str:
    """A word of rsync's -e, which rsync itself takes apart: a quote within quotes is doubled."""
    return "'" + text.replace("'", "''") + "'"


def no_progress(name: str, size: int) -> AbstractContextManager[Callable[[int], None]]:  # noqa: ARG001 (Following's)
    """Following that shows nothing."""
    return nullcontext(lambda count: None)  # noqa: ARG005 (the same)


def has_sftp_scp() -> bool:
    """Whether this computer has an ssh, and an scp that speaks SFTP."""
    if not shutil.which("scp") or not shutil.which("ssh"):
        return False
    said = subprocess.run(["ssh", "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stderr
    found = re.match(r"OpenSSH\D*(\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) >= SPEAKS_SFTP
