"""docker hangs up on us as its plugin: what is a signal of our own already is no second one."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from machinectl.cli.parsing import docker_hangup


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_came_by_itself_is_not_followed_by_another_one(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """What ends commands on hosts takes longer than docker waits for, and a second signal would leave them."""
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _, signal_number: sent.append(signal_number))
    docker, ours = socket.socketpair()
    docker.close()
    heard, told = os.pipe()
    os.write(told, bytes([number]))
    with ours:
        docker_hangup.interrupt_at_hangup(ours, heard)
    os.close(heard)
    os.close(told)
    assert sent == []
