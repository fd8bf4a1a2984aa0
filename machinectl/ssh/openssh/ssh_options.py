"""Options for the system's ssh, OpenSSH 7.4 (RHEL 7) or later. Must not import paramiko."""

from __future__ import annotations

import functools
import os
import re
import shlex
from collections.abc import Mapping

from machinectl.process_streams import find_program, query_program
from machinectl.ssh.destination import PIN, ssh_command
from machinectl.ssh.ssh_settings import QUERY_TIMEOUT, check_endpoint, read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.ssh.destination import Jump, Settings, SSHEndpoint

    # Keywords of ssh_config(5) and their values.
    Options = Mapping[str, str] | Iterable[tuple[str, str]]

# Options that 7.4 lacks, and a value to test an ssh with: they came with 7.6, 8.5 and 8.7. ssh exits with 255 for an
# unknown option. IgnoreUnknown is no help: only its first value counts, so the user's own would be lost.
NEWER = {
    "RemoteCommand": "none",
    "KnownHostsCommand": "none",
    "StdinNull": "no",
    "ForkAfterAuthentication": "no",
    "SessionType": "default",
}
UNKNOWN = r"Bad configuration option: (\S+)"

# The end of the name of a jump host's log.
JUMP_LOG = ".jump"
# Turn off the user's settings for interactive shells.
COMMANDS_ONLY = {
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
}
# ssh runs it after the login, in $SHELL, which is nologin for a service's user. `$PPID` is ssh, which ends with its
# stdin, a pipe of ours: also if we are killed.
READY = b"ready\n"
READY_COMMAND = "exec sh -c 'exec 3<&0; { read end <&3; kill $PPID; } 2>/dev/null & echo ready'"
SHELL = {"SHELL": "/bin/sh"}
# For a connection in the background that others share.
BACKGROUND = {
    **COMMANDS_ONLY,
    "PermitLocalCommand": "yes",
    "LocalCommand": READY_COMMAND,
    "StdinNull": "no",
    "ForkAfterAuthentication": "no",
    "ControlMaster": "yes",
    "ControlPersist": "no",
    "GatewayPorts": "no",
}
# For a script on stdin.
WITH_INPUT = {"StdinNull": "no", "SessionType": "default", "LogLevel": "ERROR"}
# For the first contact: ssh writes the host's key to an empty file, and does not log in. With an empty file, accept-new
# (7.6) would do the same as `no`.
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


@functools.cache
def unknown_options(program: str) -> frozenset[str]:
    """Return the options of NEWER that this ssh lacks; none if it fails: the next command reports it.

    Ask ssh, because vendors backport options.
    """
    lines = "".join(f"{name} {value}\n" for name, value in NEWER.items())
    answer = query_program([program, "-F", "/dev/stdin", "-T", "-G", "localhost"], QUERY_TIMEOUT, lines.encode())
    said = answer.stderr.decode(errors="replace") if answer else ""
    refused = {name.lower() for name in re.findall(UNKNOWN, said)}
    return frozenset(name for name in NEWER if name.lower() in refused)


def supports_option(option: str) -> bool:
    """Return True if there is no ssh."""
    if option not in NEWER:
        return True
    program = find_program("ssh")
    return program is None or option not in unknown_options(program)


def openssh_command(
    endpoint: SSHEndpoint, *, known_hosts: str = "", log: str = "", arguments: Sequence[str] = ()
) -> list[str]:
    """See `ssh_command` for `arguments`.

    With `known_hosts` (a path), ssh accepts only the pinned key. The user's other settings apply. Each ssh on the way
    writes to a `log` of its own, if there is one.
    """
    check_endpoint(endpoint)
    own = option_words([*identity_options(endpoint.key, known_hosts), *jump_options(endpoint.jump, log=log)])
    options = [*(["-E", log] if log else []), *own]
    return ssh_command(endpoint.host, options, user=endpoint.user, port=endpoint.port, arguments=arguments)


def identity_arguments(key: str, known_hosts: str, jump: Jump | None = None) -> list[str]:
    """For commands that must not prompt."""
    return option_words([*identity_options(key, known_hosts), *jump_options(jump, asks=False)])


def option_words(options: Options) -> list[str]:
    """Skip options that our ssh does not know."""
    pairs = options.items() if isinstance(options, Mapping) else options
    return [word for name, value in pairs if supports_option(name) for word in ("-o", f"{name}={value}")]


def jump_options(jump: Jump | None, *, asks: bool = True, log: str = "") -> list[tuple[str, str]]:
    """Use a ProxyCommand: ProxyJump cannot set key and known_hosts. ssh expands its %-tokens."""
    if jump is None:
        return []
    check_endpoint(jump.endpoint)
    quiet = [] if asks else [("BatchMode", "yes")]
    log = f"{log}{JUMP_LOG}" if log else ""
    before = jump_options(jump.endpoint.jump, asks=asks, log=log)
    options = [*(["-E", log] if log else []), *option_words([*quiet, *jump_identity_options(jump), *before])]
    command = ssh_command(jump.endpoint.host, options, user=jump.endpoint.user, port=jump.endpoint.port)
    words = [shlex.quote(word.replace("%", "%%")) for word in command]
    return [("ProxyCommand", " ".join([*words, "-W", "'[%h]:%p'"]))]


def jump_identity_options(jump: Jump) -> list[tuple[str, str]]:
    """Use the machine's pin; else the user's known_hosts, then `jump.known_hosts`."""
    if jump.machine:
        return identity_options(jump.endpoint.key, jump.known_hosts)
    files = aside_files(read_settings(jump.endpoint), jump.known_hosts) if jump.known_hosts else ""
    # UserKnownHostsFile stays the user's, because ssh adds accepted keys to it.
    return [*identity_options(jump.endpoint.key, ""), *([("GlobalKnownHostsFile", files)] if files else [])]


def aside_files(chosen: Settings, known_hosts: str) -> str:
    """Return the files of keys of a jump host that is no machine: `known_hosts` if the user knows none."""
    from machinectl.ssh.keys.host_keys import find_known, without_marker

    more = [] if without_marker(find_known(chosen)) else [known_hosts]
    return " ".join(map(quote_config_path, [*chosen.known_hosts, *more]))


def identity_options(key: str, known_hosts: str) -> list[tuple[str, str]]:
    """An empty path leaves the choice to ssh."""
    options = []
    if known_hosts:
        options += [
            ("UserKnownHostsFile", quote_config_path(known_hosts)),
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
        # Not -i: ssh expands %-tokens in its path, but reads no quotes.
        options += [("IdentitiesOnly", "yes"), ("IdentityFile", quote_config_path(key))]
    return [(name, value) for name, value in options if supports_option(name)]


def quote_config_path(path: str) -> str:
    return '"' + path.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"') + '"'
