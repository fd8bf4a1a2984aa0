"""Where a host's SSH is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SSHEndpoint:
    """Where a host's SSH is. What is empty or 0 is left to the user's SSH configuration.

    `key` is the path of a private key. `copy_key` asks for its public half to be let in by the host from the first
    login on, which may be by a password. `jump` is what the way there leads through, whatever that configuration says.
    """

    host: str
    user: str = ""
    port: int = 0
    key: str = ""
    copy_key: bool = False
    jump: Jump | None = None


@dataclass(frozen=True)
class Jump:
    """A host that the way to another one leads through.

    Where it is a machine's, and its key is pinned, `machine` is that one's name, and `known_hosts` the path of its
    file, which alone decides. Else what the user's known_hosts say of it holds, and where they say nothing what is
    pinned in `known_hosts`, the file of the machine behind it; "" where that has none.
    """

    endpoint: SSHEndpoint
    known_hosts: str = ""
    machine: str = ""
