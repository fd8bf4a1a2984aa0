"""`socket ls`: the open sockets of a store's machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.hosts.engine_socket.socket_notes import open_sockets

if TYPE_CHECKING:
    from machinectl.hosts.engine_socket.socket_notes import SocketNote
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class SocketRow:
    note: SocketNote

    def cells(self) -> list[str]:
        return [self.note.machine, self.note.path, str(self.note.pid or "-"), self.note.command or "-"]

    def fields(self) -> dict[str, object]:
        note = self.note
        return {
            "Name": note.machine,
            "Socket": note.path,
            "URL": f"unix://{note.path}",
            "PID": note.pid,
            "Command": note.command,
            "Log": note.log,
        }


def socket_ls(store: Store) -> list[SocketRow]:
    found = [note for note in open_sockets() if note.store == store.root]
    return [SocketRow(note) for note in sorted(found, key=lambda note: (note.machine, note.path))]
