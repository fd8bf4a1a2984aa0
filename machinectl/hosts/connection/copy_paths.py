"""Where a path is, as scp's users write it: `[user@]machine:path`, or here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.machines.store.store_paths import NoSuchMachine
from machinectl.ssh.openssh.copy_commands import CopyPath
from machinectl.ssh.ssh_settings import check_user

if TYPE_CHECKING:
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# docker-machine's name for this computer; no machine is meant by it.
HERE = "localhost"


@dataclass(frozen=True)
class MachinePath:
    """A path on a machine's host, or here, where there is no machine; `user` is who logs in, if not the machine's."""

    path: str
    machine: Machine | None = None
    user: str = ""

    @property
    def spot(self) -> CopyPath:
        """It as the system's programs are told."""
        return CopyPath(self.path, self.machine.name, self.user) if self.machine else CopyPath(self.path)

    @property
    def login(self) -> tuple[str, str]:
        """Which machine is logged in at, and as whom; "" for here, and for the machine's own user."""
        return (self.machine.name if self.machine else "", self.user)

    def __str__(self) -> str:
        return self.spot.word if self.machine else self.path


def parse_machine_path(store: Store, text: str) -> MachinePath:
    """Read where something is. A colon behind a slash is the path's own, as with scp: `./a:b` is here.

    Raises NoSuchMachine, and what reading a machine does; UsageError for a user that no user is called.
    """
    before, colon, path = text.partition(":")
    if not colon or not before or "/" in before:
        return MachinePath(text)
    user, _, name = before.rpartition("@")
    if name == HERE:
        return MachinePath(path or os.curdir)
    if user:
        check_user(user)
    try:
        return MachinePath(path, store.read(name), user)
    except NoSuchMachine as exc:
        if os.path.lexists(text):
            raise MachineError(exc.cause, f"If the file here is meant: ./{text}") from exc
        raise
