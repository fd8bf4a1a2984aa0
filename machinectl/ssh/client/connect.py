"""Connect to a host and log in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from machinectl.ssh.client.openssh_session import check_openssh_key, connect_by_openssh
from machinectl.ssh.client.own_connect import check_key_natively, connect_natively
from machinectl.ssh.keys.host_keys import HostKeys
from machinectl.ssh.ssh_errors import Unsupported
from machinectl.ssh.ssh_settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.console import Console
    from machinectl.ssh.client.session import SSHSession
    from machinectl.ssh.destination import SSHEndpoint
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.keys.host_keys import HostKeyPolicy


def connect(
    endpoint: SSHEndpoint,
    credentials: Credentials,
    policy: HostKeyPolicy,
    console: Console,
    *,
    timeout: float | None = None,
    trace: Callable[[str], None] | None = None,
) -> SSHSession:
    """Use the user's SSH configuration, and the system's ssh if paramiko lacks a feature.

    `timeout` (seconds; default: ConnectTimeout, else 15) limits TCP and the handshake, each. `trace` gets commands and
    output, never input. Raises SSHError.
    """
    settings = read_settings(endpoint)
    if timeout is not None:
        settings = dataclasses.replace(settings, connect_timeout=timeout)
    host_keys = HostKeys(policy, console)
    try:
        return connect_natively(settings, credentials, host_keys, console, trace)
    except Unsupported as exc:
        return connect_by_openssh(endpoint, settings, host_keys, console, instead_of=exc, trace=trace)
    except BaseException:
        # As ssh does, remember the key although the login failed.
        host_keys.keep_accepted()
        raise


def check_host_key(endpoint: SSHEndpoint, credentials: Credentials, policy: HostKeyPolicy, console: Console) -> bytes:
    """Check the key without a login; return the machine's known_hosts.

    `credentials` are for jump hosts. Raises the same errors as `connect`.
    """
    settings, host_keys = read_settings(endpoint), HostKeys(policy, console)
    try:
        check_key_natively(settings, credentials, host_keys, console)
    except Unsupported as exc:
        check_openssh_key(endpoint, settings, host_keys, instead_of=exc)
    return host_keys.pinned
