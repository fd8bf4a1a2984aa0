"""A relay to an engine that breaks in the middle of a long transfer."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Behaviour, Connection


def relay(engine: str, limit: int, event: Callable[[Connection], object]) -> Behaviour:
    """Pass on what goes to and from an engine's unix socket; after `limit` bytes of one connection, an event.

    What it returns is whether to go on.
    """

    def behaviour(connection: Connection) -> None:
        left: int | None = limit
        with socket.socket(socket.AF_UNIX) as there:
            there.connect(engine)
            ends = {connection.sock: there, there: connection.sock}
            while True:
                for end in select.select(ends, [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)
                    if left is not None:
                        left -= len(data)
                        if left < 0:
                            left = None
                            if not event(connection):
                                return

    return behaviour


def closes(_: Connection) -> bool:
    return False


def goes_silent(connection: Connection) -> bool:
    """Read and say nothing more."""
    connection.stopping.wait()
    return False
