"""`socket rm`: close sockets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.hosts.engine_socket.socket_notes import end_process, open_sockets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.hosts.engine_socket.socket_notes import SocketNote
    from machinectl.machines.store import Store


def socket_rm(store: Store, what: str) -> Iterator[SocketNote]:
    """Close a machine's sockets, or that at a path. Yields each. Those of running commands stay."""
    path = os.path.abspath(what)
    sockets = open_sockets()
    found = [note for note in sockets if note.path == path or (note.store == store.root and note.machine == what)]
    if not found:
        if os.sep not in what:
            store.check_exists(what)
        cause = f"machinectl has no open socket at {what}" if os.sep in what else f"{what} has no open socket"
        raise MachineError(cause, "List the open ones: machinectl socket ls")
    free = [note for note in found if not note.command]
    if not free:
        note = found[0]
        hint = f"To end both: kill {note.pid}" if note.pid else f"{note.server} runs it: end it there"
        raise MachineError(f"{note.path} is in use by {note.command}, and ends with it", hint)
    for note in free:
        end_process(note)
        yield note
