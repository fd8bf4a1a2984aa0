"""Where to reach a host by SSH."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SSHEndpoint:
    """A host's SSH address. Empty and zero values come from the user's SSH configuration.

    `key` is a private key's path. `copy_key` authorizes its public half at the first login, which may use a password.
    `jump` replaces the configured jump hosts.
    """

    host: str
    user: str = ""
    port: int = 0
    key: str = ""
    copy_key: bool = False
    jump: Jump | None = None


@dataclass(frozen=True)
class Jump:
    """A jump host.

    For a machine with a pinned key, `machine` is its name, and only the file `known_hosts` decides about its key.
    Otherwise the user's known_hosts decide, then `known_hosts` of the machine behind it ("" if none).
    """

    endpoint: SSHEndpoint
    known_hosts: str = ""
    machine: str = ""
