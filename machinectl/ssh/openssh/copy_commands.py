"""Command lines of programs that copy and mount by the system's ssh: scp(1), rsync(1), sshfs(1).

Each gets a configuration (`ssh -F`) in which the machines' names are hosts. No remote shell reads paths: scp speaks
SFTP, and rsync sends them in its own protocol.
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

    # Takes a file's name and size in bytes; what it returns is entered, and gets the number of bytes copied so far.
    CopyProgress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

# The first OpenSSH whose scp speaks SFTP (with -s; since 9.0 always).
SPEAKS_SFTP = (8, 7)


@dataclass(frozen=True)
class CopyOptions:
    """How to copy: directories recursively, modes and times preserved, progress not shown."""

    recursive: bool = False
    preserve: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class CopyPath:
    """A path here or on a host of the configuration, which sets the user if that is empty."""

    path: str
    host: str = ""
    user: str = ""

    @property
    def word(self) -> str:
        """Return it as scp and rsync read it. A local path is never read as HOST:PATH or as an option."""
        if self.host:
            return f"{self.user}@{self.host}:{self.path}" if self.user else f"{self.host}:{self.path}"
        return self.path if self.path.startswith("/") else f"./{self.path}"


def scp_command(config: str, sources: Sequence[CopyPath], target: CopyPath, wishes: CopyOptions) -> list[str]:
    """Copy by scp; between two hosts, the data comes through here."""
    # By default it uses an ssh whose path was compiled in.
    command = ["scp", "-s", "-F", config, "-S", "ssh"]
    command += ["-3"] if target.host and any(source.host for source in sources) else []
    command += letter_flags(r=wishes.recursive, p=wishes.preserve, q=wishes.quiet)
    return [*command, "--", *(spot.word for spot in (*sources, target))]


def rsync_command(
    config: str, sources: Sequence[CopyPath], target: CopyPath, wishes: CopyOptions, *, progress: bool = False
) -> list[str]:
    """Copy by rsync what has changed, by size and time; links stay links. One side is local."""
    command = ["rsync", "-lts", *letter_flags(r=wishes.recursive, p=wishes.preserve, q=wishes.quiet)]
    command += ["--progress"] if progress else []
    return [*command, "-e", f"ssh -F {rsyncs_word(config)}", "--", *(spot.word for spot in (*sources, target))]


def sshfs_command(config: str, source: CopyPath, target: str) -> list[str]:
    """Mount a host's directory on a local one."""
    return ["sshfs", "-F", config, source.word, target]


def letter_flags(**given: bool) -> list[str]:
    return [f"-{letter}" for letter, on in given.items() if on]


def rsyncs_word(text: str) -> str:
    """Quote a word for rsync's -e, which rsync splits: a quote within quotes is doubled."""
    return "'" + text.replace("'", "''") + "'"


def no_progress(name: str, size: int) -> AbstractContextManager[Callable[[int], None]]:  # noqa: ARG001 (Following's)
    """Show nothing; a CopyProgress."""
    return nullcontext(lambda count: None)  # noqa: ARG005 (the same)


def has_sftp_scp() -> bool:
    """Return whether this computer has an ssh, and an scp that speaks SFTP."""
    if not shutil.which("scp") or not shutil.which("ssh"):
        return False
    said = subprocess.run(["ssh", "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stderr
    found = re.match(r"OpenSSH\D*(\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) >= SPEAKS_SFTP
