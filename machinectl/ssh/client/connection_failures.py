"""Say why a host cannot be reached, whichever SSH was used. Must not import paramiko."""

from __future__ import annotations

import errno
import re
import socket
import time
from typing import TYPE_CHECKING

from machinectl.errors import one_line
from machinectl.name_resolution import resolve
from machinectl.ssh.ssh_errors import (
    ANOTHER_PORT,
    REJECTING_GREETINGS,
    ConnectionLost,
    NotForwarded,
    SSHError,
    Unreachable,
    Unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.name_resolution import AddressInfo
    from machinectl.ssh.ssh_settings import Settings

GREETING = "SSH-"
# Longest quotes of a host's text, in characters.
LONGEST_SAID, LONGEST_OFFER = 100, 300
# Broken algorithms: only outdated software has nothing else.
OUTDATED = re.compile(r"sha1|md5|dss|^ssh-rsa$|group1-|arcfour|3des|blowfish|cast128|rijndael|-cbc|^none$")
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
            f"Check the name server: getent hosts {settings.hostname}",
        ) from exc
    except (OSError, UnicodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "one of its parts is empty, or too long"
        raise unresolved(settings, why or "") from exc


def unresolved(settings: Settings, why: str) -> SSHError:
    return SSHError(
        f"The name {settings.hostname} does not resolve: {why}",
        f"Check its spelling, or give its address: getent hosts {settings.hostname}",
    )


def connect_error(settings: Settings, failure: OSError) -> SSHError:
    where = place(settings)
    if isinstance(failure, TimeoutError) or failure.errno == errno.ETIMEDOUT:
        return Unreachable(
            f"{where} gave no answer within {settings.connect_timeout:.0f} s: it is off, or a firewall is in between",
            f"Try: ping {settings.hostname}; {ANOTHER_PORT}",
        )
    if failure.errno == errno.ECONNREFUSED:
        return SSHError(
            f"{where} refuses the connection: no SSH server listens there",
            f"On the host: systemctl status ssh; {ANOTHER_PORT}",
        )
    if failure.errno in UNREACHABLE:
        return Unreachable(f"There is no way to {where}: {failure.strerror}", f"Try: ping {settings.hostname}")
    return SSHError(f"{where} cannot be reached: {failure.strerror or failure}", f"Try: ping {settings.hostname}")


def place(settings: Settings) -> str:
    return f"{settings.hostname} port {settings.port}"


def see_ssh(settings: Settings) -> str:
    return f"See what ssh says: ssh -v {settings.login_options}"


def greeting_error(settings: Settings, line: str | None, *, is_late: bool = False) -> SSHError:
    """`line` is what the server said instead of a greeting, None if nothing."""
    where = place(settings)
    if line is not None and line.startswith(REJECTING_GREETINGS):
        return SSHError(
            f"The SSH server of {where} rejects this address for now: {one_line(line, LONGEST_SAID)!r}. "
            "It does so after several failed logins, or during many at once",
            "Wait a minute, then run it again; on the host: journalctl -u ssh (PerSourcePenalties, MaxStartups)",
        )
    if line is not None and not (line.startswith(GREETING) or GREETING.startswith(line)):
        return SSHError(
            f"{where} is not an SSH server: it says {one_line(line, LONGEST_SAID)!r}",
            f"See what listens there; {ANOTHER_PORT}",
        )
    if is_late:
        greet = "did not greet" if line is None else "did not finish its greeting"
        return SSHError(
            f"{where} took the connection and {greet} within {settings.connect_timeout:.0f} s, as SSH does",
            f"The host may hang: look at its console; {ANOTHER_PORT}",
        )
    if line is not None:
        return SSHError(
            f"{where} ended the connection in the middle of its greeting, {one_line(line, LONGEST_SAID)!r}",
            see_ssh(settings),
        )
    return SSHError(
        f"{where} took the connection and closed it without a greeting: not an SSH server, or it blocks this address",
        "After failed logins, wait a minute; on the host: journalctl -u ssh (PerSourcePenalties, MaxStartups, "
        f"fail2ban, hosts.deny); {ANOTHER_PORT}",
    )


def handshake_error(settings: Settings, why: str = "") -> ConnectionLost:
    """`why` the connection ended, "" if the handshake took too long."""
    end = f"ended the connection during the handshake ({why})"
    late = f"did not finish the handshake within {settings.connect_timeout:.0f} s"
    return ConnectionLost(f"{place(settings)} {end if why else late}", see_ssh(settings))


def not_forwarded(settings: Settings, jump_address: str, why: str, *, check_sshd: bool = False) -> NotForwarded:
    """A jump host does not lead to the host."""
    also = "; AllowTcpForwarding in sshd_config" if check_sshd else ""
    return NotForwarded(
        f"The jump host {jump_address} does not lead to {place(settings)}: {why}",
        f"On the jump host: nc -vz {settings.hostname} {settings.port}{also}",
    )


def proxy_command_error(settings: Settings, command: str, said: str) -> NotForwarded:
    return NotForwarded(
        f"The ProxyCommand does not lead to {place(settings)}{said and f': {said}'}", f"Try it: {command}"
    )


def are_outdated(algorithms: Sequence[str]) -> bool:
    return all(OUTDATED.search(name) for name in algorithms)


def nothing_shared(
    settings: Settings, keyword: str, offered: Sequence[str], ours: Sequence[str], *, outdated: bool
) -> Unsupported:
    what = f"{place(settings)} is incompatible with our SSH"
    offers = one_line(", ".join(offered), LONGEST_OFFER)
    if outdated:
        return Unsupported(
            f"{what}: all {keyword} that it offers are outdated ({offers})",
            "Update the host's OpenSSH",
        )
    return Unsupported(
        f"{what}: the {keyword} that it offers ({offers or 'none'}) are not supported here",
        "Install OpenSSH's ssh here, of a version as new as the host's: it is used then; or have the host offer one of "
        f"these, too, in its sshd_config: {keyword} {','.join(ours)}",
    )
