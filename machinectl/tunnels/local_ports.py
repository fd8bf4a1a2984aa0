"""Choose ports of this computer to listen on."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from machinectl.tunnels.published_ports import HIGHEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOOPBACK = ("127.0.0.1", "::1")
# Ports below this one need root, unless the kernel is set otherwise.
UNPRIVILEGED = 1024
# 8080 for 80, 8443 for 443.
WEB, STEP = 8000, 10000
# Tries until a free port is free on each address.
TRIES = 10
REASONS = {errno.EADDRINUSE: "is in use", errno.EACCES: "needs root"}
# The address is not one of this computer's; or it has no IPv6.
FOREIGN = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def usable_addresses(addresses: Sequence[str]) -> list[str]:
    """Leave out addresses that this computer lacks, such as ::1 without IPv6."""
    return [address for address in addresses if listening_error(address, 0) not in FOREIGN]


def why_not(addresses: Sequence[str], port: int) -> str:
    """Return why nobody can listen there now, or ""."""
    for address in addresses:
        if number := listening_error(address, port):
            return REASONS.get(number) or f"cannot be used: {errno.errorcode.get(number, number)}"
    return ""


def other_ports(port: int) -> Iterator[int]:
    """Yield numbers to use instead: 8080 for 80, 15432 for 5432, at last any free one."""
    if port < UNPRIVILEGED:
        yield WEB + port
    yield from range(port + STEP, HIGHEST + 1, STEP)
    yield from [0] * TRIES


def free_port(address: str) -> int:
    with bound_socket(address, 0) as listener:
        return int(listener.getsockname()[1])


def listening_error(address: str, port: int) -> int:
    """Return errno, or 0."""
    try:
        bound_socket(address, port).close()
    except OSError as exc:
        return exc.errno or errno.EINVAL
    return 0


def bound_socket(address: str, port: int) -> socket.socket:
    """Listen as ssh does. Raises OSError."""
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
        bound.listen()
    except BaseException:
        bound.close()
        raise
    return bound
