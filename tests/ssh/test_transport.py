"""A connection that ends at the worst moment."""

from __future__ import annotations

import socket
import threading
from typing import cast

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA

from machinectl.ssh.client.transport import ServerPackets, Transport


class ChannelOfTheDead:
    """A jump host's channel, as it is after that host has gone: its end can be told to nobody."""

    def close(self) -> None:
        raise EOFError


def test_a_connection_ends_in_silence_when_the_jump_host_has_gone_before() -> None:
    # Raised in paramiko's thread, it is a traceback on stderr, and whoever waits for the connection's end waits on.
    ServerPackets(cast("socket.socket", ChannelOfTheDead())).close()


def test_opening_a_channel_fails_if_the_connection_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Shells are opened in threads of their own while the session may be closed (`test_connect`, under load).
    class Late(paramiko.Channel):
        """Stand in for another thread that ends the connection between two lines of paramiko."""

        def _set_transport(self, transport: paramiko.Transport) -> None:
            transport.close()
            super()._set_transport(transport)  # type: ignore[misc]  # the stubs leave it out

    monkeypatch.setattr("paramiko.transport.Channel", Late)
    here, there = socket.socketpair()
    with here, there:
        transport = Transport(here, timeout=10)
        transport.active = True  # type: ignore[attr-defined]  # the stubs leave it out
        with pytest.raises(paramiko.SSHException):
            transport.open_session()


def test_a_channel_that_is_opened_while_the_connection_ends_does_not_hide_the_end() -> None:
    here, there = socket.socketpair()
    with here, there:
        events = Transport(here, timeout=10).channel_events
        events[1] = threading.Event()
        for event in events.values():
            events[2] = event
            event.set()


@pytest.mark.parametrize(("kind", "before"), [(MSG_CHANNEL_DATA, ()), (MSG_CHANNEL_EXTENDED_DATA, (1,))])
def test_a_channel_keeps_no_more_than_its_window(kind: int, before: tuple[int, ...]) -> None:
    here, there = socket.socketpair()
    with here, there:
        transport = Transport(here, timeout=10)
        channel = paramiko.Channel(1)
        transport._channels.put(1, channel)
        channel._set_window(100, 1000)  # type: ignore[attr-defined]  # the stubs leave it out

        def feed(data: bytes) -> None:
            message = paramiko.Message()
            for number in before:
                message.add_int(number)
            message.add_string(data)
            message.rewind()
            transport._channel_handler_table[kind](channel, message)

        feed(b"x" * 60)
        with pytest.raises(paramiko.SSHException, match="more than its window allows"):
            feed(b"x" * 60)


def test_every_caller_gets_the_error_that_ended_a_connection() -> None:
    here, there = socket.socketpair()
    with here, there:
        transport = Transport(here, timeout=10)
        refused, end = paramiko.ChannelException(1, "no"), EOFError()
        transport.saved_exception = refused
        assert [transport.get_exception(), transport.get_exception()] == [refused, None]
        transport.saved_exception = end
        assert [transport.get_exception(), transport.get_exception()] == [end, end]


def test_a_reader_gets_the_data_before_the_connections_end() -> None:
    here, there = socket.socketpair()
    with here, there:
        transport = Transport(here, timeout=10)
        transport.active = True  # type: ignore[attr-defined]  # the stubs leave it out
        transport.clear_to_send.set()
        channel = paramiko.Channel(1)
        transport._channels.put(1, channel)
        channel._set_window(100, 1000)  # type: ignore[attr-defined]  # as above
        channel._set_remote_channel(1, 100, 1000)  # type: ignore[attr-defined]  # as above
        channel.in_buffer.feed(b"x" * 60)
        there.close()
        assert channel.recv(60) == b"x" * 60
