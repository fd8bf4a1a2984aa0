"""Whether anything answers where a machine's SSH is: a host whose engine is silent as well is off."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from machinectl.errors import MachineError

if TYPE_CHECKING:
    from machinectl.driver import SSHEndpoint
    from machinectl.engine.endpoint import Deadline
    from machinectl.engine.sockets import Address

# An engine that answers does so sooner, and then nobody looks at the SSH; of a shorter deadline the share. Seconds.
HEAD_START = 1.0
SHARE = 4
# Of the time that is left, so that what was found is there when the engine's time is up.
IN_TIME = 0.8


def head_start(deadline: Deadline) -> float:
    return min(HEAD_START, left(deadline) / SHARE)


def time_to_look(deadline: Deadline) -> float:
    return left(deadline) * IN_TIME


def left(deadline: Deadline) -> float:
    """The seconds that are left; somebody who waits for ever is given none."""
    try:
        return deadline.remaining() or 0.0
    except TimeoutError:
        return 0.0


def ssh_addresses(way: SSHEndpoint | None) -> list[Address]:
    """The addresses of a host at which its SSH would answer; none where there is no telling from here.

    That is so behind a jump host, whose last leg nobody sees.
    """
    from machinectl.ssh.settings import settings

    if not way:
        return []
    try:
        found = settings(way)
        if not found.is_direct:
            return []
        answers = socket.getaddrinfo(found.hostname, found.port, found.family, socket.SOCK_STREAM)
    except (MachineError, OSError, UnicodeError):
        return []
    return [(family, address) for family, _, _, _, address in answers]
