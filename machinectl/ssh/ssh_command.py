"""The command line of the system's ssh: every one that we run is built here. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def ssh_command(
    host: str, options: Sequence[str] = (), *, user: str = "", port: int = 0, arguments: Sequence[str] = ()
) -> list[str]:
    """Return the words of a command line; an empty user or port is left to the user's configuration.

    The first of several values of an option wins. `arguments` follow the host, where ssh still takes options before the
    remote command: `-A`, `-L 8080:localhost:80`, `ls -l`. The host and the user must not begin with a dash.
    """
    login = ["-l", user] if user else []
    address = ["-p", str(port)] if port else []
    return ["ssh", *options, *login, *address, host, *arguments]
