"""What ssh_config(5) is to say of a machine, so that whatever runs the system's ssh gets to it by its name.

Of the user's own configuration that part is repeated which is about the host under the name that it goes by there: the
block is about another name, and `Host 192.168.*` does not mean that one.
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

# What no host is called (RFC 6761 6.4): what ssh says of it, it says of any.
NO_HOST = "machinectl-asks.invalid"
# What is repeated of the user's configuration: the way to the host, and who we are there. ssh -G prints a value as it
# is read again, but for a path with blanks.
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
# Whose keys are known is the machine's affair, once its host's is pinned.
UNPINNED = ("hostkeyalias", "stricthostkeychecking", "checkhostip")
# As ssh_config(5) spells what most blocks have, and `proof`.
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
    """The lines about a machine, from its `Host` on. `known_hosts` is the path of the machine's, "" before it has one.

    `also` is another name that they are for.

    Raises UsageError for a host that no host is called, MachineError for a path that no line can hold, and SSHError for
    a configuration that ssh refuses.
    """
    check_endpoint(endpoint)
    own = identity_options(endpoint.key, known_hosts)
    if endpoint.port:
        own.insert(0, ("Port", str(endpoint.port)))
    if endpoint.user:
        own.insert(0, ("User", endpoint.user))
    own[:0] = jump_options(endpoint.jump)
    said = {keyword for keyword, _ in own} | ({"ProxyJump"} if endpoint.jump else set())
    # Where the user's configuration has the same name for it, what that says holds, now and later.
    users = [] if endpoint.host == name else said_of(endpoint, pinned=bool(known_hosts))
    lines = [f"{keyword} {value}" for keyword, value in [*(each for each in users if each[0] not in said), *own]]
    for line in lines:
        if not line.isprintable():
            raise MachineError(
                f"ssh's configuration cannot say {line!r}", "Keep the store in a directory without such characters"
            )
    names = " ".join(dict.fromkeys([name, also or name]))
    return "".join([f"Host {names}\n", *(f"    {line}\n" for line in lines)])


def said_of(endpoint: SSHEndpoint, *, pinned: bool) -> list[tuple[str, str]]:
    """What the user's configuration says of a host and not of any: keywords with values that can be read again."""
    program = shutil.which("ssh")
    if not program:
        return [("HostName", endpoint.host)]
    of_it, of_any = cached_options(program, endpoint), cached_options(program, SSHEndpoint(NO_HOST))
    found = []
    for keyword in [*WAY, *PATHS, *(() if pinned else UNPINNED)]:
        values = [value for value in of_it.get(keyword, []) if value not in of_any.get(keyword, [])]
        found += [(SPELT.get(keyword, keyword), readable(keyword, value, endpoint.host)) for value in values]
    return found


def readable(keyword: str, value: str, host: str) -> str:
    """A value that ssh -G printed for a host, for a block that calls it by another name."""
    text = re.sub(r"%(.)", lambda token: host if token[1] == "n" else token[0], value)
    return f'"{text}"' if keyword in PATHS else text


def with_user_files(blocks: Iterable[str], users: Sequence[str]) -> str:
    """A whole configuration for `ssh -F`: blocks, which win, and then the files that -F takes the place of."""
    # A file that is included within a Host is read for that one alone.
    return "".join(
        [*blocks, "Match all\n", *(f"    Include {included(path)}\n" for path in users if os.path.exists(path))]
    )


def included(path: str) -> str:
    """A path as Include reads it: a pattern, where newer versions replace %-tokens and variables, too."""
    return '"' + "".join("?" if letter in "%$*?[]{}\\\"'" else letter for letter in path) + '"'
