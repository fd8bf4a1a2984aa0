"""Parse paths as scp's users write them: `[user@]machine:path`, or a local path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.machines.store.store_paths import NoSuchMachine
from machinectl.ssh.openssh.copy_commands import CopyPath
from machinectl.ssh.ssh_settings import check_ssh_user

if TYPE_CHECKING:
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# docker-machine's name for this computer, never a machine's.
HERE = "localhost"


@dataclass(frozen=True)
class MachinePath:
    """A path on a machine's host, or a local path (no machine). `user` logs in instead of the machine's own user."""

    path: str
    machine: Machine | None = None
    user: str = ""

    @property
    def for_programs(self) -> CopyPath:
        """The path as scp, rsync and sshfs take it."""
        return CopyPath(self.path, self.machine.name, self.user) if self.machine else CopyPath(self.path)

    @property
    def login(self) -> tuple[str, str]:
        """The machine's name ("" if local) and the user ("" for the machine's own): what a connection is shared by."""
        return (self.machine.name if self.machine else "", self.user)

    def __str__(self) -> str:
        return self.for_programs.word if self.machine else self.path


def parse_machine_path(store: Store, text: str) -> MachinePath:
    """Parse `[user@]machine:path`. As with scp, a colon after a slash belongs to the path: `./a:b` is local.

    Raises MachineError if the machine cannot be read, UsageError if the user name is invalid.
    """
    before, colon, path = text.partition(":")
    if not colon or not before or "/" in before:
        return MachinePath(text)
    user, _, name = before.rpartition("@")
    if name == HERE:
        return MachinePath(path or os.curdir)
    if user:
        check_ssh_user(user)
    try:
        return MachinePath(path, store.read(name), user)
    except NoSuchMachine as exc:
        if os.path.lexists(text):
            raise MachineError(exc.cause, f"If you mean the local file: ./{text}") from exc
        raise
