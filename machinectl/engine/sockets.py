"""Connect TCP and unix sockets within a deadline; explain failures."""

from __future__ import annotations

import errno
import socket

from machinectl.engine.endpoint import NOBODY_THERE, EngineError, is_silence
from machinectl.errors import Hint
from machinectl.name_resolution import resolve
from machinectl.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from machinectl.engine.endpoint import Deadline, Endpoint
    from machinectl.url import EngineURL

    # getaddrinfo's family, and the argument for connect.
    Address = tuple[socket.AddressFamily, Any]

NO_WAY = NOBODY_THERE | {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}


def connect_tcp(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> socket.socket:
    """Connect to the first address that accepts."""
    failures: list[OSError] = []
    addresses = resolve_endpoint(endpoint, url, deadline)
    for done, (family, address) in enumerate(addresses):
        try:
            # Share the remaining time, so that one dead address cannot use all of it.
            left = deadline.remaining()
            return connected(family, address, left and left * endpoint.connecting_share / (len(addresses) - done))
        except OSError as exc:
            failures.append(exc)
    raise none_accepts(endpoint, failures, deadline)


def none_accepts(endpoint: Endpoint, failures: Sequence[OSError], deadline: Deadline) -> EngineError:
    """Return the error for the best address, which comes first (RFC 6724)."""
    first = failures[0] if failures else TimeoutError()
    error = unreachable(endpoint, first, deadline)
    error.silent = all(map(is_silence, failures))
    error.__cause__ = first
    return error


def connect_unix(endpoint: Endpoint, path: str, deadline: Deadline) -> socket.socket:
    try:
        return connected(socket.AF_UNIX, path, deadline.remaining())
    except OSError as exc:
        raise closed_socket(endpoint, exc, deadline) from exc


def connected(family: socket.AddressFamily, address: Any, timeout: float | None) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def resolve_endpoint(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> list[Address]:
    port = int(endpoint.peer.rpartition(":")[2])
    by_address = Hint("or use the address", f"machinectl set --url tcp://<ADDRESS>:{port}", endpoint.name)
    try:
        found = resolve(url.host, port, deadline.remaining())
    except TimeoutError as exc:
        raise EngineError(
            f'The name "{url.host}" was not resolved within {deadline}',
            Hint("Look at the name server") | by_address,
            State.TIMEOUT,
        ) from exc
    except (OSError, UnicodeError) as exc:
        is_silent = isinstance(exc, OSError) and exc.errno == socket.EAI_AGAIN
        raise EngineError(
            f'No name server answers for "{url.host}"' if is_silent else f'The name "{url.host}" is not known here',
            Hint("Check its spelling") | by_address,
        ) from exc
    return [(family, address) for family, _, _, _, address in found]


def unreachable(endpoint: Endpoint, exc: OSError, deadline: Deadline) -> EngineError:
    peer = endpoint.peer
    if isinstance(exc, TimeoutError):
        return EngineError(
            f"{peer} does not answer within {deadline}",
            Hint(f"Check that the host is up and that its firewall lets port {peer.rpartition(':')[2]} through"),
            State.TIMEOUT,
        )
    if isinstance(exc, ConnectionRefusedError):
        start = Hint("Start the engine on its host", "sudo systemctl start docker", elsewhere=True)
        start |= Hint("or set its address", "machinectl set --url <URL>", endpoint.name)
        if endpoint.given_by:
            start = Hint(f"Ask {endpoint.given_by} to start the engine") | Hint(
                "or if it has a new address", "machinectl access renew", endpoint.name
            )
        return EngineError(f"{peer} refuses the connection: nothing listens there", start, State.STOPPED)
    if exc.errno in NO_WAY:
        return EngineError(
            f"There is no way to {peer}: {exc.strerror}",
            Hint("Check this computer's network, and the address", "machinectl url", endpoint.name),
        )
    return cannot_connect(peer, exc)


def closed_socket(endpoint: Endpoint, exc: OSError, deadline: Deadline) -> EngineError:
    path = endpoint.peer
    start = Hint("Start the engine", "sudo systemctl start docker")
    if isinstance(exc, FileNotFoundError):
        return EngineError(f"There is no socket {path} on this computer", start)
    if isinstance(exc, ConnectionRefusedError):
        return EngineError(
            f"Nobody listens at {path} on this computer: the engine that made it is gone", start, State.STOPPED
        )
    if isinstance(exc, PermissionError):
        return EngineError(
            f"You may not use {path}", Hint("Join its group, and log in again", "sudo usermod -aG docker $USER")
        )
    # A unix socket with a full queue fails with EAGAIN (connect(2)).
    if isinstance(exc, (TimeoutError, BlockingIOError)):
        return EngineError(
            f"{path} takes no connection within {deadline}",
            Hint("Look at the engine's journal", "journalctl -u docker"),
            State.TIMEOUT,
        )
    return cannot_connect(path, exc)


def cannot_connect(peer: str, exc: OSError) -> EngineError:
    if exc.errno in {errno.EMFILE, errno.ENFILE}:
        return EngineError("This process has too many files open", Hint("Allow it more", "ulimit -n 4096"))
    return EngineError(
        f"Cannot connect to {peer}: {exc.strerror or exc}", Hint("Check this computer's firewall and the address")
    )
