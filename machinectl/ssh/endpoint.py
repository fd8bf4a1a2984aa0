"""Where a host's SSH is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SSHEndpoint:
    """Where a host's SSH is. What is empty or 0 is left to the user's SSH configuration.

    `key` is the path of a private key. `copy_key` asks for its public half to be let in by the host from the first
    login on, which may be by a password.
    """

    host: str
    user: str = ""
    port: int = 0
    key: str = ""
    copy_key: bool = False
