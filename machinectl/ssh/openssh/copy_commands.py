"""Build scp(1), rsync(1) and sshfs(1) commands over the system's ssh.

With `ssh -F`, machines are hosts. No remote shell reads paths.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.process_streams import query_program
from machinectl.ssh.ssh_settings import QUERY_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

# The first OpenSSH whose scp has -s for SFTP; since 9.0, SFTP is the default.
SPEAKS_SFTP = (8, 7)


@dataclass(frozen=True)
class CopyOptions:
    recursive: bool = False
    preserve: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class CopyPath:
    """A local path if `host` is empty. An empty user comes from the configuration."""

    path: str
    host: str = ""
    user: str = ""

    @property
    def word(self) -> str:
        """The argument for scp and rsync. A local path never looks like HOST:PATH or an option."""
        if self.host:
            return f"{self.user}@{self.host}:{self.path}" if self.user else f"{self.host}:{self.path}"
        # As typed, if possible: scp and rsync name it in their errors.
        is_plain = self.path and not self.path.startswith("-") and ":" not in self.path
        return self.path if is_plain or self.path.startswith("/") else f"./{self.path}"


def scp_command(
    config: str, program: str, sources: Sequence[CopyPath], target: CopyPath, wishes: CopyOptions
) -> list[str]:
    """Copy between two hosts through this computer. `program` is ssh."""
    # By default, scp runs an ssh from a compiled-in path.
    command = ["scp", "-s", "-F", config, "-S", program]
    command += ["-3"] if target.host and any(source.host for source in sources) else []
    command += letter_flags(r=wishes.recursive, p=wishes.preserve, q=wishes.quiet)
    return [*command, "--", *(spot.word for spot in (*sources, target))]


def rsync_command(
    config: str,
    program: str,
    sources: Sequence[CopyPath],
    target: CopyPath,
    wishes: CopyOptions,
    *,
    progress: bool = False,
) -> list[str]:
    """Copy what changed in size or time. One side must be local."""
    command = ["rsync", "-lts", *letter_flags(r=wishes.recursive, p=wishes.preserve, q=wishes.quiet)]
    command += ["--progress"] if progress else []
    return [
        *command,
        "-e",
        f"{rsyncs_word(program)} -F {rsyncs_word(config)}",
        "--",
        *(spot.word for spot in (*sources, target)),
    ]


def sshfs_command(config: str, program: str, source: CopyPath, target: str) -> list[str]:
    return ["sshfs", "-F", config, "-o", f"ssh_command={program}", source.word, target]


def letter_flags(**given: bool) -> list[str]:
    return [f"-{letter}" for letter, on in given.items() if on]


def rsyncs_word(text: str) -> str:
    """Quote for rsync's -e: double each quote."""
    return "'" + text.replace("'", "''") + "'"


def has_sftp_scp() -> bool:
    if not shutil.which("scp") or not shutil.which("ssh"):
        return False
    answer = query_program(["ssh", "-V"], QUERY_TIMEOUT)
    found = re.match(r"OpenSSH\D*(\d+)\.(\d+)", answer.stderr.decode(errors="replace")) if answer else None
    return found is not None and (int(found[1]), int(found[2])) >= SPEAKS_SFTP
