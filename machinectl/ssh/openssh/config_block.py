"""Host blocks of ssh_config(5) for machines, so that every program that runs ssh reaches them by name.

A block repeats the user's own configuration for the host, because a pattern such as `Host 192.168.*` does not match the
machine's name.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.openssh.ssh_options import identity_options, jump_options
from machinectl.ssh.ssh_settings import cached_options, check_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# No host has this name (RFC 6761 6.4): its settings are those of every host.
NO_HOST = "machinectl-asks.invalid"
# The settings that are repeated: how to reach the host, and who we are there. ssh can read the output of ssh -G, except
# for paths with blanks.
WAY = (
    "hostname",
    "user",
    "port",
    "proxyjump",
    "proxycommand",
    "addressfamily",
    "bindaddress",
    "bindinterface",
    "connecttimeout",
    "serveraliveinterval",
    "serveralivecountmax",
    "compression",
    "identitiesonly",
    "pkcs11provider",
    "preferredauthentications",
    "hostkeyalgorithms",
    "pubkeyacceptedalgorithms",
    "pubkeyacceptedkeytypes",
    "kexalgorithms",
    "ciphers",
    "macs",
    "forwardagent",
)
PATHS = ("identityfile", "certificatefile", "identityagent", "revokedhostkeys")
# The host key's settings, unless it is pinned.
UNPINNED = ("hostkeyalias", "stricthostkeychecking", "checkhostip")
# The spelling of ssh_config(5) for common keywords.
SPELT = {
    "hostname": "HostName",
    "user": "User",
    "port": "Port",
    "proxyjump": "ProxyJump",
    "proxycommand": "ProxyCommand",
    "identitiesonly": "IdentitiesOnly",
    "hostkeyalias": "HostKeyAlias",
    "identityfile": "IdentityFile",
    "identityagent": "IdentityAgent",
    # Its name before 8.5, which later versions read too.
    "pubkeyacceptedalgorithms": "PubkeyAcceptedKeyTypes",
}


def host_block(name: str, endpoint: SSHEndpoint, *, known_hosts: str = "", also: str = "") -> str:
    """Return a machine's `Host` block. `known_hosts` is the path of the machine's file, "" if it has none.

    `also` is another name for the block. Raises UsageError for an invalid host, MachineError for a path that no line
    can hold, and SSHError for a configuration that ssh refuses.
    """
    check_endpoint(endpoint)
    own = identity_options(endpoint.key, known_hosts)
    if endpoint.port:
        own.insert(0, ("Port", str(endpoint.port)))
    if endpoint.user:
        own.insert(0, ("User", endpoint.user))
    own[:0] = jump_options(endpoint.jump)
    said = {keyword for keyword, _ in own} | ({"ProxyJump"} if endpoint.jump else set())
    # If the host has the same name in the user's configuration, that applies anyway.
    users = [] if endpoint.host == name else said_of(endpoint, pinned=bool(known_hosts))
    lines = [f"{keyword} {value}" for keyword, value in [*(each for each in users if each[0] not in said), *own]]
    for line in lines:
        if not line.isprintable():
            raise MachineError(
                f"ssh's configuration cannot hold {line!r}", "Keep the store in a directory without such characters"
            )
    names = " ".join(dict.fromkeys([name, also or name]))
    return "".join([f"Host {names}\n", *(f"    {line}\n" for line in lines)])


def said_of(endpoint: SSHEndpoint, *, pinned: bool) -> list[tuple[str, str]]:
    """Return what the user's configuration sets for this host and not for every host, in a form that ssh reads."""
    program = shutil.which("ssh")
    if not program:
        return [("HostName", endpoint.host)]
    of_it, of_any = cached_options(program, endpoint), cached_options(program, SSHEndpoint(NO_HOST))
    found = []
    for keyword in [*WAY, *PATHS, *(() if pinned else UNPINNED)]:
        values = [value for value in of_it.get(keyword, []) if value not in of_any.get(keyword, [])]
        found += [(SPELT.get(keyword, keyword), config_value(keyword, value, endpoint.host)) for value in values]
    return found


def config_value(keyword: str, value: str, host: str) -> str:
    """Return a value printed by ssh -G in a form that ssh reads, in a block with another name."""
    text = re.sub(r"%(.)", lambda token: host if token[1] == "n" else token[0], value)
    return f'"{text}"' if keyword in PATHS else text


def with_user_files(blocks: Iterable[str], users: Sequence[str]) -> str:
    """Return a whole configuration for `ssh -F`: blocks, which win, then the files that -F replaces."""
    # Otherwise the Include would belong to the last Host.
    return "".join(
        [*blocks, "Match all\n", *(f"    Include {included(path)}\n" for path in users if os.path.exists(path))]
    )


def included(path: str) -> str:
    """Return a path for Include, which is a pattern, and in newer versions has %-tokens and variables."""
    return '"' + "".join("?" if letter in "%$*?[]{}\\\"'" else letter for letter in path) + '"'
