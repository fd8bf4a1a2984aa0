"""Where to reach a host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SSHEndpoint:
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


@dataclass(frozen=True)
class Jump:
    """If `machine` is set, only its file `known_hosts` decides about its key.

    Else the user's known_hosts decide, then `known_hosts`: the file of the machine behind it, or "".
    """

    endpoint: SSHEndpoint
    known_hosts: str = ""
    machine: str = ""
