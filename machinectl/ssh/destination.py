"""Where a host's SSH is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SSHEndpoint:
    """Where a host's SSH is. An empty or zero value is left to the user's SSH configuration.

    `key` is the path of a private key. `copy_key` authorizes its public half at the first login, which may be by a
    password. `jump` replaces the jump hosts of that configuration.
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

    If it is a machine with a pinned key, `machine` is its name, and only `known_hosts`, the path of its file, decides
    about its key. Otherwise the user's known_hosts decide; if they do not know it, the keys pinned in `known_hosts`,
    the file of the machine behind it ("" if there is none).
    """

    endpoint: SSHEndpoint
    known_hosts: str = ""
    machine: str = ""
