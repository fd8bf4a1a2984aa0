"""Parse scp's paths: `[user@]machine:path`, or a local path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
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
    """A local path if `machine` is None. `user` overrides the login user."""

    path: str
    machine: Machine | None = None
    user: str = ""

    @property
    def for_programs(self) -> CopyPath:
        return CopyPath(self.path, self.machine.name, self.user) if self.machine else CopyPath(self.path)

    @property
    def login(self) -> tuple[str, str]:
        """Machine name and user ("": default), which share a connection."""
        return (self.machine.name if self.machine else "", self.user)

    def __str__(self) -> str:
        return self.for_programs.word if self.machine else self.path


def parse_machine_path(store: Store, text: str) -> MachinePath:
    """Parse like scp: `./a:b` is local. Raises MachineError, UsageError for an invalid user."""
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
            raise MachineError(exc.cause, Hint(f"If you mean the local file: ./{text}")) from exc
        raise
