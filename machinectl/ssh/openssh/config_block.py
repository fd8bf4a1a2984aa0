"""Write Host blocks of ssh_config(5): any program finds machines by name.

A block repeats the user's settings, because `Host 192.168.*` does not match a machine's name.
"""

from __future__ import annotations

import os
import re

from machinectl.errors import Hint, MachineError
from machinectl.process_streams import find_program
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.openssh.ssh_options import identity_options, jump_options
from machinectl.ssh.ssh_settings import cached_options, check_endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.ssh.ssh_settings import Options

# No host has this name (RFC 6761 6.4), so ssh returns the settings for all hosts.
NO_HOST = "machinectl-asks.invalid"
# Settings to repeat: how to reach the host, and as which user. ssh reads the output of ssh -G, except paths with
# spaces.
WAY = (
    "HostName User Port ProxyJump ProxyCommand AddressFamily BindAddress BindInterface ConnectTimeout "
    "ServerAliveInterval ServerAliveCountMax Compression IdentitiesOnly PKCS11Provider PreferredAuthentications "
    "HostKeyAlgorithms PubkeyAcceptedAlgorithms PubkeyAcceptedKeyTypes KexAlgorithms Ciphers MACs ForwardAgent"
)
PATHS = ("IdentityFile", "CertificateFile", "IdentityAgent", "RevokedHostKeys")
# Settings of the host key, unless it is pinned.
UNPINNED = ("HostKeyAlias", "StrictHostKeyChecking", "CheckHostIP")
# Old names that every version reads; 8.5 renamed them.
OLD_NAMES = {"PubkeyAcceptedAlgorithms": "PubkeyAcceptedKeyTypes"}

# OpenSSH's files, in its order (ssh_config(5)).
USERS_OWN = ("~/.ssh/config", "/etc/ssh/ssh_config")


def host_block(
    name: str,
    endpoint: SSHEndpoint,
    *,
    known_hosts: str = "",
    also: Iterable[str] = (),
    control: str = "",
    log: str = "",
) -> str:
    """`also` are other names, `known_hosts` is the machine's file, `control` a ControlPath, `log` the jump hosts' log.

    Raises UsageError for an invalid host, MachineError for an unprintable path, SSHError for a bad configuration.
    """
    check_endpoint(endpoint)
    own = identity_options(endpoint.key, known_hosts)
    if "knownhostscommand" not in options_of(endpoint):
        # An older ssh may read the file, too: it knows this option as little as the user's configuration does.
        own = [each for each in own if each[0] != "KnownHostsCommand"]
    if control:
        own += [("ControlMaster", "no"), ("ControlPath", control)]
    if endpoint.port:
        own.insert(0, ("Port", str(endpoint.port)))
    if endpoint.user:
        own.insert(0, ("User", endpoint.user))
    own[:0] = jump_options(endpoint.jump, log=log)
    said = {keyword for keyword, _ in own} | ({"ProxyJump"} if endpoint.jump else set())
    # If the machine has its host's name, the user's configuration applies anyway.
    users = [] if endpoint.host == name else user_settings(endpoint, pinned=bool(known_hosts))
    lines = [f"{keyword} {value}" for keyword, value in [*(each for each in users if each[0] not in said), *own]]
    for line in lines:
        if not line.isprintable():
            raise MachineError(
                f"ssh's configuration cannot hold {line!r}",
                Hint("Keep the store in a directory without such characters"),
            )
    names = " ".join(dict.fromkeys([name, *also]))
    return "".join([f"Host {names}\n", *(f"    {line}\n" for line in lines)])


def options_of(endpoint: SSHEndpoint) -> Options:
    program = find_program("ssh")
    return cached_options(program, endpoint) if program else {"hostname": [endpoint.host]}


def user_settings(endpoint: SSHEndpoint, *, pinned: bool) -> list[tuple[str, str]]:
    """Return the user's settings for this host only."""
    host, of_any = options_of(endpoint), options_of(SSHEndpoint(NO_HOST))
    settings = []
    for keyword in [*WAY.split(), *PATHS, *(() if pinned else UNPINNED)]:
        of_all = of_any.get(keyword.lower(), [])
        for value in [value for value in host.get(keyword.lower(), []) if value not in of_all]:
            # Expand %n for a block with another name.
            text = re.sub(r"%(.)", lambda token: endpoint.host if token[1] == "n" else token[0], value)
            settings.append((OLD_NAMES.get(keyword, keyword), f'"{text}"' if keyword in PATHS else text))
    return settings


def with_user_files(blocks: Iterable[str], users: Sequence[str]) -> str:
    """Let the blocks win over the user's files, which -F replaces."""
    # Without Match, Include would belong to the last Host.
    return "".join(
        [*blocks, "Match all\n", *(f"    Include {quote_include(path)}\n" for path in users if os.path.exists(path))]
    )


def quote_include(path: str) -> str:
    """Mask characters that Include expands."""
    return '"' + "".join("?" if letter in "%$*?[]{}\\\"'" else letter for letter in path) + '"'
