"""The end of a connection through a jump host, whose own connection is over before."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from machinectl.ssh.transport import Listener

if TYPE_CHECKING:
    import socket


class ChannelOfTheDead:
    """A jump host's channel, as it is after that host has gone: its end can be told to nobody."""

    def close(self) -> None:
        raise EOFError


def test_a_connection_ends_in_silence_when_the_jump_host_has_gone_before() -> None:
    # Raised in paramiko's thread, it is a traceback on stderr, and whoever waits for the connection's end waits on.
    Listener(cast("socket.socket", ChannelOfTheDead())).close()
