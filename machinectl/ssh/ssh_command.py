"""Build every command line of the system's ssh."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def ssh_command(
    host: str, options: Sequence[str] = (), *, user: str = "", port: int = 0, arguments: Sequence[str] = ()
) -> list[str]:
    """The host and user must not start with a dash; the first value of an option wins.

    `arguments` follow the host: more options, then the remote command.
    """
    login = ["-l", user] if user else []
    address = ["-p", str(port)] if port else []
    return ["ssh", *options, *login, *address, host, *arguments]
