"""Log in with paramiko, through jump hosts."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.files.atomic import read_file
from machinectl.ssh.client import handshake
from machinectl.ssh.client.authentication import log_in
from machinectl.ssh.client.connection_failures import connect_to_sshd
from machinectl.ssh.client.own_session import OwnSession
from machinectl.ssh.client.transport import Transport
from machinectl.ssh.keys.host_keys import HostKeyPolicy, HostKeys
from machinectl.ssh.ssh_errors import LoginRefused, SSHError
from machinectl.ssh.ssh_settings import jump_targets, read_settings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    import paramiko

    from machinectl.console import Console
    from machinectl.ssh.destination import Jump
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.keys.known_hosts import HostKey
    from machinectl.ssh.ssh_settings import Settings

# OpenSSH has no limit for ProxyJump; a chain longer than this is a loop.
LONGEST_CHAIN = 8
# The kinds of host keys. A user may know the fingerprint of any of them.
KEY_KINDS: tuple[tuple[str, ...], ...] = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    ("ssh-rsa",),
)


def connect_natively(
    settings: Settings,
    credentials: Credentials,
    host_keys: HostKeys,
    console: Console,
    trace: Callable[[str], None] | None,
) -> OwnSession:
    """Raises SSHError."""
    with ExitStack() as stack:
        transport = Connector(stack, credentials, host_keys, console).reach(settings)
        return OwnSession(
            transport=transport,
            settings=settings,
            stack=stack.pop_all(),
            known_hosts=host_keys.pinned,
            trace=trace,
        )


def check_key_natively(settings: Settings, credentials: Credentials, host_keys: HostKeys, console: Console) -> None:
    """Raises SSHError."""
    with ExitStack() as stack:
        Connector(stack, credentials, host_keys, console).open(settings, host_keys)


@dataclass
class Connector:
    """`stack` closes all connections; `host_keys` are the host's. A jump host that is a machine has its own."""

    stack: ExitStack
    credentials: Credentials
    host_keys: HostKeys
    console: Console

    def reach(
        self, chosen: Settings, judge: HostKeys | None = None, *, hops: int = 0, aside: bool = False
    ) -> Transport:
        """Connect and log in. `hops` is above 0 for a jump host; `aside` means that `judge` belongs to another host."""
        if hops > LONGEST_CHAIN:
            raise SSHError(f"The jump hosts of {chosen.host} form a loop", f"See: ssh -G {chosen.host}")
        transport = self.open(chosen, judge or self.host_keys, hops=hops, aside=aside)
        credentials = self.credentials.for_jump() if hops else self.credentials
        try:
            log_in(transport, chosen, credentials, self.console)
        except LoginRefused as exc:
            if hops:
                # The user's key and password are for the host, not for jump hosts.
                machine = "" if aside else (judge or self.host_keys).machine
                exc.hint = jump_host_hint(chosen, machine)
            raise
        return transport

    def open(self, chosen: Settings, judge: HostKeys, *, hops: int = 0, aside: bool = False) -> Transport:
        """Connect and check the host's key, without a login."""
        demanded = judge.demanded(jump=aside)
        types = judge.known_types(chosen, jump=aside)
        transport, key = self._shake_hands(chosen, judge, types, hops)
        # The host may have another key with the required fingerprint: ask for each kind.
        kinds = [kind for kind in KEY_KINDS if key.type not in kind]
        while demanded and key.fingerprint != demanded and kinds:
            types = list(kinds.pop(0))
            another, other_key = self._shake_hands(chosen, judge, types, hops)
            if other_key.fingerprint == demanded:
                transport, key = another, other_key
            elif other_key == key:
                break
        judge.check(chosen, key, jump=aside)
        return transport

    def _shake_hands(self, chosen: Settings, judge: HostKeys, types: list[str], hops: int) -> tuple[Transport, HostKey]:
        proxy = None
        sock: socket.socket | paramiko.Channel
        if chosen.jump:
            sock = self._through(chosen.jump, chosen, judge, hops)
        elif chosen.proxy_jump:
            sock = self._jump(chosen, judge, hops)
        elif chosen.proxy_command:
            proxy = handshake.ProxyCommand(chosen.proxy_command)
            self.stack.callback(proxy.close)
            sock = proxy.socket
        else:
            sock = connect_to_sshd(chosen)
        self.stack.callback(sock.close)
        transport = Transport(sock, timeout=chosen.connect_timeout)
        self.stack.callback(transport.close)
        transport.prefer(types)
        handshake.handshake(transport, chosen, proxy)
        return transport, transport.server_host_key()

    def _through(self, jump: Jump, chosen: Settings, judge: HostKeys, hops: int) -> paramiko.Channel:
        """Use the endpoint's jump host."""
        gate = read_settings(jump.endpoint)
        if jump.machine:
            policy = HostKeyPolicy(read_file(jump.known_hosts), machine=jump.machine)
            transport = self.reach(gate, HostKeys(policy, self.console), hops=hops + 1)
        else:
            transport = self.reach(gate, judge, hops=hops + 1, aside=True)
        return handshake.open_jump_channel(transport, chosen, gate.address)

    def _jump(self, chosen: Settings, judge: HostKeys, hops: int) -> paramiko.Channel:
        """Use the user's ProxyJump."""
        *before, last = jump_targets(chosen.proxy_jump)
        jump = read_settings(last)
        if before:
            jump = dataclasses.replace(jump, proxy_jump=chosen.proxy_jump.rpartition(",")[0])
        transport = self.reach(jump, judge, hops=hops + 1, aside=True)
        return handshake.open_jump_channel(transport, chosen, jump.address)


def jump_host_hint(chosen: Settings, machine: str) -> str:
    if machine:
        return f"It is a jump host. See why: machinectl doctor {machine}"
    return f"It is a jump host: your SSH configuration says who logs in there, and how. Try: ssh {chosen.login_options}"
