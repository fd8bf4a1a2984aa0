"""The options that we pass to the system's ssh, on command lines and in config files.

OpenSSH 7.4 (RHEL 7) is the oldest supported version. No paramiko here.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from machinectl.ssh.keys.host_keys import PIN, find_known, usable
from machinectl.ssh.ssh_settings import QUERY_TIMEOUT, check_endpoint, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.ssh.destination import Jump, SSHEndpoint

    # Keywords of ssh_config(5) with their values.
    Options = Mapping[str, str]

# Our options that 7.4 lacks, each with the version that added it, and a value to test an ssh with. ssh fails with 255
# at an unknown option. IgnoreUnknown would prevent that, but only the first one counts: the user's own would be lost.
NEWER = {
    "RemoteCommand": ("7.6", "none"),
    "KnownHostsCommand": ("8.5", "none"),
    "StdinNull": ("8.7", "no"),
    "SessionType": ("8.7", "default"),
}
# The option that stops the user's KnownHostsCommand from accepting a key that is not pinned, and the line of a block
# that has a pin.
GUARD = "KnownHostsCommand"
PINNED = f"HostKeyAlias {PIN}"
UNKNOWN = re.compile(r"Bad configuration option: (\S+)")
# Many hosts at once ask what one ssh knows: it is started once.
_asking = threading.Lock()

# What of the user's configuration is for a shell of theirs, and not for our commands.
COMMANDS_ONLY = {
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
}
# For a script that is sent through stdin.
WITH_INPUT = {"StdinNull": "no", "SessionType": "default", "LogLevel": "ERROR"}
# For the first contact with an unknown host: ssh writes its key to an empty file, and does not log in. Because the file
# is empty, accept-new (7.6) would do the same as `no`.
MEETING = {
    "PreferredAuthentications": "none",
    "BatchMode": "yes",
    "StrictHostKeyChecking": "no",
    "GlobalKnownHostsFile": os.devnull,
    "HostKeyAlias": "host",
    "HashKnownHosts": "no",
    "CheckHostIP": "no",
    "UpdateHostKeys": "no",
    "KnownHostsCommand": "none",
    "RevokedHostKeys": "none",
    "VerifyHostKeyDNS": "no",
    "NoHostAuthenticationForLocalhost": "no",
    "ControlPath": "none",
}


def unknown_options(program: str) -> frozenset[str]:
    """Return the options of NEWER that an ssh does not know; it is asked once, however many threads want to know."""
    with _asking:
        return ask_unknown(program)


@functools.cache
def ask_unknown(program: str) -> frozenset[str]:
    """Return the options of NEWER that an ssh does not know; a vendor's old version may know some of them.

    None if ssh does not answer: the command that uses it reports the error.
    """
    lines = "".join(f"{name} {value}\n" for name, (_, value) in NEWER.items())
    try:
        answer = subprocess.run(
            [program, "-F", "/dev/stdin", "-T", "-G", "localhost"],
            input=lines,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=QUERY_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    refused = {name.lower() for name in UNKNOWN.findall(answer.stderr)}
    return frozenset(name for name in NEWER if name.lower() in refused)


def is_known(option: str) -> bool:
    """Return whether this computer's ssh knows an option; True if there is no ssh."""
    if option not in NEWER:
        return True
    program = shutil.which("ssh")
    return program is None or option not in unknown_options(program)


def openssh_command(endpoint: SSHEndpoint, *, known_hosts: str = "", arguments: Sequence[str] = ()) -> list[str]:
    """The command that logs in at a host. `known_hosts` is the path of the machine's; without it the user's decide.

    What the user configured for the host (ProxyJump, agent, ControlMaster …) holds, but for the way where the endpoint
    has a jump host. `arguments` follow the host, where
    ssh still takes options before the remote command: `-A`, `-L 8080:localhost:80`, `ls -l`.
    """
    check_endpoint(endpoint)
    return [
        *started(endpoint, [*identity_options(endpoint.key, known_hosts), *jump_options(endpoint.jump)]),
        endpoint.host,
        *arguments,
    ]


def started(endpoint: SSHEndpoint, options: Iterable[tuple[str, str]]) -> list[str]:
    """A command line up to the host."""
    command = ["ssh", *as_arguments(options)]
    if endpoint.user:
        command += ["-l", endpoint.user]
    if endpoint.port:
        command += ["-p", str(endpoint.port)]
    return command


def identity_arguments(key: str, known_hosts: str, jump: Jump | None = None) -> list[str]:
    """`proof` as options of a command line, and the `way` of a program that asks nothing."""
    return as_arguments([*identity_options(key, known_hosts), *jump_options(jump, asks=False)])


def as_arguments(options: Options | Iterable[tuple[str, str]]) -> list[str]:
    """Return options as arguments of ssh, except those that this computer's ssh does not know."""
    pairs = options.items() if isinstance(options, Mapping) else options
    return [word for name, value in pairs if is_known(name) for word in ("-o", f"{name}={value}")]


def jump_options(jump: Jump | None, *, asks: bool = True) -> list[tuple[str, str]]:
    """What leads through a jump host, as ssh_config(5) has it; nothing where there is none.

    ProxyJump has no place for a key and a known_hosts of the jump host's own. ssh gives the command to a shell when it
    has replaced its %-tokens.
    """
    if jump is None:
        return []
    check_endpoint(jump.endpoint)
    quiet = [] if asks else [("BatchMode", "yes")]
    command = started(jump.endpoint, [*quiet, *jump_proof(jump), *jump_options(jump.endpoint.jump, asks=asks)])
    words = [shlex.quote(word.replace("%", "%%")) for word in [*command, jump.endpoint.host]]
    return [("ProxyCommand", " ".join([*words, "-W", "'[%h]:%p'"]))]


def jump_proof(jump: Jump) -> list[tuple[str, str]]:
    """What makes a jump host prove its key: the one pinned, or what the user's known_hosts say, where they say any."""
    if jump.machine:
        return identity_options(jump.endpoint.key, jump.known_hosts)
    own = identity_options(jump.endpoint.key, "")
    chosen = read_settings(jump.endpoint)
    if jump.known_hosts and not usable(find_known(chosen)):
        # Beside the user's, where ssh writes down what it is told to trust.
        own.append(("GlobalKnownHostsFile", " ".join(map(quoted, [*chosen.known_hosts, jump.known_hosts]))))
    return own


def identity_options(key: str, known_hosts: str) -> list[tuple[str, str]]:
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
    return [(name, value) for name, value in options if is_known(name)]


def quoted(path: str) -> str:
    """A path as ssh_config reads it: in quotes for blanks, its own % doubled for they mark tokens."""
    return '"' + path.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"') + '"'
