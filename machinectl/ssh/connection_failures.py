"""Say why a host cannot be reached, whichever SSH was used. Must not import paramiko."""

from __future__ import annotations

import errno
import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.errors import Hint, one_line
from machinectl.name_resolution import resolve
from machinectl.ssh.ssh_errors import PORT, REJECTING_GREETINGS, ConnectionLost, NotForwarded, SSHError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.name_resolution import AddressInfo
    from machinectl.ssh.ssh_settings import Settings

GREETING = "SSH-"
# RFC 4253 4.2, in bytes; longest quote of a host's text, in characters.
LONGEST_GREETING, LONGEST_SAID = 255, 100
# Seconds between two looks at a greeting.
LOOK_SECONDS = 0.02
UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN}


def connect_to_sshd(settings: Settings) -> socket.socket:
    """Try each address in turn. Raises SSHError."""
    deadline = time.monotonic() + settings.connect_timeout
    addresses = resolve_host(settings)
    failure: OSError = TimeoutError()
    for left, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        connection = socket.socket(family, kind, protocol)
        try:
            # Share the time among the addresses: one may drop packets.
            connection.settimeout(max(0.1, (deadline - time.monotonic()) / left))
            connection.connect(address)
            # Nagle's algorithm would delay commands, which are small packets.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as exc:
            connection.close()
            failure = exc
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise connect_error(settings, failure) from failure


def resolve_host(settings: Settings) -> Sequence[AddressInfo]:
    try:
        return resolve(settings.hostname, settings.port, settings.connect_timeout, settings.family)
    except TimeoutError as exc:
        raise SSHError(
            f"The name {settings.hostname} was not resolved within {settings.connect_timeout:.0f} s",
            Hint("Check the name server", "getent hosts", settings.hostname),
        ) from exc
    except (OSError, UnicodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "one of its parts is empty, or too long"
        raise unresolved(settings, why or "") from exc


def unresolved(settings: Settings, why: str) -> SSHError:
    return SSHError(
        f"The name {settings.hostname} does not resolve: {why}",
        Hint("Check its spelling, or give its address", "getent hosts", settings.hostname),
    )


def connect_error(settings: Settings, failure: OSError) -> SSHError:
    where, try_it = place(settings), Hint("Try", "ping", settings.hostname)
    if isinstance(failure, TimeoutError) or failure.errno == errno.ETIMEDOUT:
        seconds = f"{settings.connect_timeout:.0f} s"
        return Unreachable(
            f"{where} gave no answer within {seconds}: it is off, or a firewall is in between", try_it, PORT
        )
    if failure.errno == errno.ECONNREFUSED:
        what = f"{where} refuses the connection: no SSH server listens there"
        return SSHError(what, Hint("On the host", "systemctl status ssh"), PORT)
    kind = Unreachable if failure.errno in UNREACHABLE else SSHError
    return kind(f"There is no way to {where}: {failure.strerror or failure}", try_it)


def place(settings: Settings) -> str:
    return f"{settings.hostname} port {settings.port}"


def see_ssh(settings: Settings) -> Hint:
    return Hint("See what ssh says", f"ssh -v {settings.login_options}")


def check_greeting(connection: socket.socket, settings: Settings) -> None:
    """Raises SSHError unless a server of SSH greets. Leaves its greeting unread."""
    deadline = time.monotonic() + settings.connect_timeout
    said = b""
    while (left := deadline - time.monotonic()) > 0 and select.select([connection], [], [], left)[0]:
        with suppress(OSError):
            said = connection.recv(LONGEST_GREETING, socket.MSG_PEEK)
        if said.startswith(GREETING.encode()):
            return
        line = said.split(b"\n")[0].rstrip(b"\r").decode(errors="replace")
        if not GREETING.startswith(line) or not line:
            raise greeting_error(settings, line or None)
        time.sleep(LOOK_SECONDS)
    raise greeting_error(settings, said.decode() or None, is_late=True)


def greeting_error(settings: Settings, line: str | None, *, is_late: bool = False) -> SSHError:
    """`line` is what the server said instead of a greeting, None if nothing."""
    where, said = place(settings), one_line(line or "", LONGEST_SAID)
    look = Hint("On the host", "journalctl -u ssh") | Hint("which names PerSourcePenalties, MaxStartups or fail2ban")
    if said.startswith(REJECTING_GREETINGS):
        return SSHError(
            f"The SSH server of {where} rejects this address for now: {said!r}. "
            "It does so after several failed logins, or during many at once",
            Hint("Wait a minute, then run it again") | look,
        )
    if line is not None and not (line.startswith(GREETING) or GREETING.startswith(line)):
        return SSHError(f"{where} is not an SSH server: it says {said!r}", Hint("See what listens there"), PORT)
    if is_late:
        return SSHError(
            f"{where} took the connection and did not greet within {settings.connect_timeout:.0f} s, as SSH does",
            Hint("The host may hang: look at its console"),
            PORT,
        )
    return SSHError(
        f"{where} took the connection and closed it without a greeting: not an SSH server, or it blocks this address",
        Hint("After failed logins, wait a minute") | look,
        PORT,
    )


def handshake_error(settings: Settings, why: str = "") -> ConnectionLost:
    """`why` the connection ended, "" if the handshake took too long."""
    end = f"ended the connection during the handshake ({why})"
    late = f"did not finish the handshake within {settings.connect_timeout:.0f} s"
    return ConnectionLost(f"{place(settings)} {end if why else late}", see_ssh(settings))


def lost_during_login(settings: Settings, why: str = "") -> ConnectionLost:
    """`why` the connection ended, "" if there was no answer."""
    how = f"ended the connection during the login ({why})" if why else "gave no answer during the login"
    return ConnectionLost(f"{settings.address} {how}", see_ssh(settings))


def no_session(settings: Settings) -> SSHError:
    return SSHError(
        f"{settings.address} opens no session for {settings.user}",
        Hint("On the host, MaxSessions in sshd_config, and", "journalctl -u ssh"),
    )


def not_forwarded(settings: Settings, jump_address: str, *, is_forbidden: bool) -> NotForwarded:
    """A jump host does not lead to the host."""
    why = "forwarding is not allowed there" if is_forbidden else "it cannot be reached from there"
    return NotForwarded(
        f"The jump host {jump_address} does not lead to {place(settings)}: {why}",
        Hint("On the jump host, AllowTcpForwarding in sshd_config, and", f"nc -vz {settings.hostname} {settings.port}"),
    )


def jump_host_hint(settings: Settings, machine: str) -> Hint:
    """Return what helps with a jump host that refuses the login: the user's key and password are for the host."""
    if machine:
        return Hint("It is a jump host. See why", "machinectl doctor", machine)
    return Hint("It is a jump host. Try", f"ssh {settings.login_options}")


def proxy_command_error(settings: Settings, command: str, said: str) -> NotForwarded:
    return NotForwarded(
        f"The ProxyCommand does not lead to {place(settings)}{said and f': {said}'}", Hint("Try it", command)
    )
