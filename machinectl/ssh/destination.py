"""Where to reach a host, and the command line of the system's ssh."""

from __future__ import annotations

import re

from machinectl.value_classes import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# The host's name in the machine's known_hosts and for ssh (HostKeyAlias). It differs from the address and the machine's
# name, so that the pin survives a change of these.
PIN = "machinectl"

# OpenSSH's valid_hostname and valid_ruser (ssh.c) refuse the same characters.
NAME = r"[^-\s\\'\"`$<>|&;(){}\x00-\x1f\x7f][^\s\\'\"`$<>|&;(){}\x00-\x1f\x7f]*"


class SSHEndpoint(Frozen):
    """Empty and zero values come from the user's SSH configuration.

    `key` is a path. `copy_key` authorizes its public half at the first login. `jump` replaces the configured jump
    hosts.
    """

    host: str
    user: str = ""
    port: int = 0
    key: str = ""
    copy_key: bool = False
    jump: Jump | None = None


class Jump(Frozen):
    """If `machine` is set, only its file `known_hosts` decides about its key.

    Else the user's known_hosts decide, then `known_hosts`: the file of the machine behind it, or "".
    """

    endpoint: SSHEndpoint
    known_hosts: str = ""
    machine: str = ""


def ssh_command(
    host: str, options: Sequence[str] = (), *, user: str = "", port: int = 0, arguments: Sequence[str] = ()
) -> list[str]:
    """The host and user must not start with a dash; the first value of an option wins.

    `arguments` follow the host: more options, then the remote command.
    """
    login = ["-l", user] if user else []
    address = ["-p", str(port)] if port else []
    return ["ssh", *options, *login, *address, host, *arguments]


def is_plain_name(name: str) -> bool:
    return bool(re.fullmatch(NAME, name)) and name.isprintable()
