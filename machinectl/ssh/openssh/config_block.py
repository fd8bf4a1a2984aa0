"""Write Host blocks of ssh_config(5), and read IgnoreUnknown of the user's: any program finds machines by name.

A block repeats the user's settings, because `Host 192.168.*` does not match a machine's name.
"""

from __future__ import annotations

import glob
import os
import re

from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import read_file
from machinectl.process_streams import find_program
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.openssh.ssh_options import identity_options, jump_options
from machinectl.ssh.ssh_settings import cached_options, check_endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
LINE = r"(?im)^\s*(include|ignoreunknown)(?:\s*=\s*|\s+)(.*)$"
WORD = r'"([^"]*)"|([^\s"]+)'
PATTERN = r"!?[\w*?]+"
# OpenSSH's READCONF_MAX_DEPTH (readconf.c).
DEEPEST = 16


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


def user_settings(endpoint: SSHEndpoint, *, pinned: bool) -> list[tuple[str, str]]:
    """Return the user's settings for this host only."""
    program = find_program("ssh")
    if not program:
        return [("HostName", endpoint.host)]
    of_it, of_any = cached_options(program, endpoint), cached_options(program, SSHEndpoint(NO_HOST))
    found = []
    for keyword in [*WAY.split(), *PATHS, *(() if pinned else UNPINNED)]:
        of_all = of_any.get(keyword.lower(), [])
        values = [value for value in of_it.get(keyword.lower(), []) if value not in of_all]
        found += [(OLD_NAMES.get(keyword, keyword), config_value(keyword, value, endpoint.host)) for value in values]
    return found


def config_value(keyword: str, value: str, host: str) -> str:
    """Expand %n for a block with another name."""
    text = re.sub(r"%(.)", lambda token: host if token[1] == "n" else token[0], value)
    return f'"{text}"' if keyword in PATHS else text


def with_user_files(blocks: Iterable[str], users: Sequence[str]) -> str:
    """Let the blocks win over the user's files, which -F replaces."""
    # Without Match, Include would belong to the last Host.
    return "".join(
        [*blocks, "Match all\n", *(f"    Include {quote_include(path)}\n" for path in users if os.path.exists(path))]
    )


def quote_include(path: str) -> str:
    """Mask characters that Include expands."""
    return '"' + "".join("?" if letter in "%$*?[]{}\\\"'" else letter for letter in path) + '"'


def ignored_options(but: str) -> list[str]:
    """Return patterns for any host; skip the file `but`."""
    found = []
    for own in USERS_OWN:
        path = os.path.expanduser(own)
        for value in ignore_unknown_values(path, os.path.dirname(path), os.path.realpath(but), DEEPEST):
            found += [pattern for pattern in value.split(",") if re.fullmatch(PATTERN, pattern, re.ASCII)]
    return list(dict.fromkeys(found))


def ignore_unknown_values(path: str, directory: str, but: str, deepest: int) -> Iterator[str]:
    """Includes are relative to `directory`."""
    try:
        text = read_file(path).decode(errors="replace")
    except OSError:
        return
    for keyword, rest in re.findall(LINE, text):
        words = [quoted or plain for quoted, plain in re.findall(WORD, rest)]
        if keyword.lower() == "ignoreunknown":
            yield from words[:1]
        elif deepest:
            for word in words:
                for included in sorted(glob.glob(os.path.join(directory, os.path.expanduser(word)))):
                    if os.path.realpath(included) != but:
                        yield from ignore_unknown_values(included, directory, but, deepest - 1)
