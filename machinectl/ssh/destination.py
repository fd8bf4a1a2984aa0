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
SSH_PORT = 22

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


class Settings(Frozen):
    """Named as in ssh_config(5); paths are expanded, "" means none."""

    host: str
    hostname: str
    user: str
    port: int
    # IdentityFile, in order, with missing files.
    keys: tuple[str, ...]
    # The user named one key; try no others.
    key_given: bool
    # Use only `keys`, no other keys of the agent.
    identities_only: bool
    agent: str
    proxy_jump: str
    proxy_command: str
    # Existing files of UserKnownHostsFile and GlobalKnownHostsFile.
    known_hosts: tuple[str, ...]
    host_key_alias: str
    # yes, accept-new, no or ask.
    strict_host_key_checking: str
    revoked_host_keys: str
    connect_timeout: float
    alive_interval: float
    alive_count: int
    # Replaces `proxy_jump` and `proxy_command`, which are then "".
    jump: Jump | None = None
    # KnownHostsCommand with its tokens unexpanded.
    known_hosts_command: str = ""

    @property
    def is_direct(self) -> bool:
        """Whether no jump host or proxy is in between."""
        return not (self.jump or self.proxy_jump or self.proxy_command)

    @property
    def address(self) -> str:
        """For messages, with a port other than 22."""
        host = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        return host if self.port == SSH_PORT else f"{host}:{self.port}"

    @property
    def known_names(self) -> list[str]:
        """Names in known_hosts: one with a port first; one without fits any port."""
        if self.host_key_alias:
            return [self.host_key_alias]
        return [self.hostname] if self.port == SSH_PORT else [f"[{self.hostname}]:{self.port}", self.hostname]

    @property
    def login(self) -> str:
        """user@host[:port] for messages."""
        return f"{self.user}@{self.address}"

    @property
    def login_options(self) -> str:
        """Arguments for `ssh` in hints."""
        port = "" if self.port == SSH_PORT else f"-p {self.port} "
        return f"{port}{self.user}@{self.host}"


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
