"""The system's ssh, for a person: its command line with the machine's pinned key and private key. No paramiko here."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from machinectl.ssh.hostkeys import PIN, find_known, usable
from machinectl.ssh.settings import check_endpoint, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from machinectl.ssh.endpoint import Jump, SSHEndpoint


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

    What the user configured for the host (ProxyJump, agent, ControlMaster …) holds, but for the way where the endpoint
    has a jump host. `arguments` follow the host, where
    ssh still takes options before the remote command: `-A`, `-L 8080:localhost:80`, `ls -l`.
    """
    check_endpoint(endpoint)
    return [*started(endpoint, [*proof(endpoint.key, known_hosts), *way(endpoint.jump)]), endpoint.host, *arguments]


def started(endpoint: SSHEndpoint, options: Iterable[tuple[str, str]]) -> list[str]:
    """A command line up to the host."""
    command = ["ssh", *typed(options)]
    if endpoint.user:
        command += ["-l", endpoint.user]
    if endpoint.port:
        command += ["-p", str(endpoint.port)]
    return command


def identity(key: str, known_hosts: str, jump: Jump | None = None) -> list[str]:
    """`proof` as options of a command line, and the `way` of a program that asks nothing."""
    return typed([*proof(key, known_hosts), *way(jump, asks=False)])


def typed(options: Iterable[tuple[str, str]]) -> list[str]:
    return [word for name, value in options for word in ("-o", f"{name}={value}")]


def way(jump: Jump | None, *, asks: bool = True) -> list[tuple[str, str]]:
    """What leads through a jump host, as ssh_config(5) has it; nothing where there is none.

    ProxyJump has no place for a key and a known_hosts of the jump host's own. ssh gives the command to a shell when it
    has replaced its %-tokens.
    """
    if jump is None:
        return []
    check_endpoint(jump.endpoint)
    quiet = [] if asks else [("BatchMode", "yes")]
    command = started(jump.endpoint, [*quiet, *jump_proof(jump), *way(jump.endpoint.jump, asks=asks)])
    words = [shlex.quote(word.replace("%", "%%")) for word in [*command, jump.endpoint.host]]
    return [("ProxyCommand", " ".join([*words, "-W", "'[%h]:%p'"]))]


def jump_proof(jump: Jump) -> list[tuple[str, str]]:
    """What makes a jump host prove its key: the one pinned, or what the user's known_hosts say, where they say any."""
    if jump.machine:
        return proof(jump.endpoint.key, jump.known_hosts)
    own = proof(jump.endpoint.key, "")
    chosen = settings(jump.endpoint)
    if jump.known_hosts and not usable(find_known(chosen)):
        # Beside the user's, where ssh writes down what it is told to trust.
        own.append(("GlobalKnownHostsFile", " ".join(map(quoted, [*chosen.known_hosts, jump.known_hosts]))))
    return own


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
