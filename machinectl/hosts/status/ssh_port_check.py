"""Check the SSH port: if it is as silent as the engine, the host is off."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from machinectl.errors import MachineError

if TYPE_CHECKING:
    from machinectl.driver import SSHEndpoint
    from machinectl.engine.endpoint import Deadline
    from machinectl.engine.sockets import Address

# Try the SSH port after this many seconds without an answer from the engine, or this share of the deadline.
HEAD_START = 1.0
SHARE = 4
# Share of the remaining time, so that the result is ready before the engine's time is up.
IN_TIME = 0.8


def engine_head_start(deadline: Deadline) -> float:
    return min(HEAD_START, remaining_seconds(deadline) / SHARE)


def ssh_check_timeout(deadline: Deadline) -> float:
    return remaining_seconds(deadline) * IN_TIME


def remaining_seconds(deadline: Deadline) -> float:
    """Return 0 without a deadline."""
    try:
        return deadline.remaining() or 0.0
    except TimeoutError:
        return 0.0


def ssh_addresses(way: SSHEndpoint | None) -> list[Address]:
    """Return none behind a jump host, which only it can reach."""
    from machinectl.ssh.ssh_settings import read_settings

    if not way:
        return []
    try:
        found = read_settings(way)
        if not found.is_direct:
            return []
        answers = socket.getaddrinfo(found.hostname, found.port, found.family, socket.SOCK_STREAM)
    except (MachineError, OSError, UnicodeError):
        return []
    return [(family, address) for family, _, _, _, address in answers]
