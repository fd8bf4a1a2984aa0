"""Connect to a host and log in."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from typing import TYPE_CHECKING

from machinectl.ssh.keys.host_keys import HostKeys
from machinectl.ssh.openssh.openssh_session import OpenSSHLogin
from machinectl.ssh.ssh_settings import is_native, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.console import Console
    from machinectl.ssh.destination import SSHEndpoint
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.keys.host_keys import HostKeyPolicy
    from machinectl.ssh.session import SSHLogin, SSHSession


def connect(
    endpoint: SSHEndpoint,
    credentials: Credentials,
    policy: HostKeyPolicy,
    console: Console,
    *,
    timeout: float | None = None,
    native: bool = False,
    trace: Callable[[str], None] | None = None,
) -> SSHSession:
    """Use the system's ssh, or paramiko if `native`, if there is none or `--native-ssh` is given.

    `timeout` (seconds; default: ConnectTimeout, else 15) limits TCP and the handshake, each. `trace` gets commands and
    output, never input. Raises SSHError.
    """
    settings = read_settings(endpoint)
    if timeout is not None:
        settings = dataclasses.replace(settings, connect_timeout=timeout)
    host_keys = HostKeys(policy, console)
    try:
        with ExitStack() as stack:
            session = login_class(native=native)(endpoint, settings, credentials, host_keys, console, stack).log_in()
            session.trace, session.stack = trace, stack.pop_all()
            return session
    except BaseException:
        # As ssh does, remember the key although the login failed.
        host_keys.keep_accepted()
        raise


def check_host_key(
    endpoint: SSHEndpoint,
    credentials: Credentials,
    policy: HostKeyPolicy,
    console: Console,
    timeout: float | None = None,
) -> bytes:
    """Check the key without a login; return the machine's known_hosts.

    `credentials` are for jump hosts. Raises the same errors as `connect`.
    """
    settings, host_keys = read_settings(endpoint), HostKeys(policy, console)
    if timeout is not None:
        settings = dataclasses.replace(settings, connect_timeout=min(timeout, settings.connect_timeout))
    with ExitStack() as stack:
        login_class(native=False)(endpoint, settings, credentials, host_keys, console, stack).check_key()
    return host_keys.pinned


def login_class(*, native: bool) -> type[SSHLogin]:
    if native or is_native():
        # paramiko takes 150 ms to load.
        from machinectl.ssh.native.native_login import ParamikoLogin

        return ParamikoLogin
    return OpenSSHLogin
