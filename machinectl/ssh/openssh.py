"""The system's ssh, for a person: its command line with the machine's pinned key and private key. No paramiko here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.ssh.hostkeys import PIN
from machinectl.ssh.settings import check_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.ssh.endpoint import SSHEndpoint


# What of the user's configuration is for a shell of theirs, and not for our commands.
COMMANDS_ONLY = {
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
}


def openssh_command(endpoint: SSHEndpoint, *, known_hosts: str = "", arguments: Sequence[str] = ()) -> list[str]:
    """The command that logs in at a host. `known_hosts` is the path of the machine's; without it the user's decide.

    What the user configured for the host (ProxyJump, agent, ControlMaster …) holds. `arguments` follow the host, where
    ssh still takes options before the remote command: `-A`, `-L 8080:localhost:80`, `ls -l`.
    """
    check_endpoint(endpoint)
    command = ["ssh", *identity(endpoint.key, known_hosts)]
    if endpoint.user:
        command += ["-l", endpoint.user]
    if endpoint.port:
        command += ["-p", str(endpoint.port)]
    return [*command, endpoint.host, *arguments]


def identity(key: str, known_hosts: str) -> list[str]:
    """`proof`, as options of a command line."""
    return [word for name, value in proof(key, known_hosts) for word in ("-o", f"{name}={value}")]


def proof(key: str, known_hosts: str) -> list[tuple[str, str]]:
    """What makes a host prove its pinned key, and us show ours, as ssh_config(5) has it.

    Each keyword with its value, quoted where it has to be. Empty paths leave it to the user's ssh.
    """
    options = []
    if known_hosts:
        options += [
            ("UserKnownHostsFile", quoted(known_hosts)),
            ("GlobalKnownHostsFile", os.devnull),
            ("HostKeyAlias", PIN),
            ("StrictHostKeyChecking", "yes"),
            # The file is the machine's: ssh must not add to it.
            ("UpdateHostKeys", "no"),
            # Each of these would accept a key that is not pinned.
            ("KnownHostsCommand", "none"),
            ("VerifyHostKeyDNS", "no"),
            ("NoHostAuthenticationForLocalhost", "no"),
        ]
    if key:
        # Not -i: it wants the path as it is and then replaces its %-tokens all the same.
        options += [("IdentitiesOnly", "yes"), ("IdentityFile", quoted(key))]
    return options


def quoted(path: str) -> str:
    """A path as ssh_config reads it: in quotes for blanks, its own % doubled for they mark tokens."""
    return '"' + path.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"') + '"'


def given(options: Mapping[str, str]) -> list[str]:
    """Options by their keywords, as ssh takes them."""
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
