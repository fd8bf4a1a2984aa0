"""Login shells on the host that were started ahead, each waiting for the one script that it will run.

A command of its own takes a round trip to open a channel, another to start it, and a third for its input (OpenSSH's
sshd grants a session no window before its command has started). Done ahead, while another command runs, the first two
cost nothing: a command then takes one round trip.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING

import paramiko

from machinectl.ssh.framing import LOGIN_COMMAND

if TYPE_CHECKING:
    from machinectl.ssh.client.transport import Transport

# Starting one takes two round trips, a quick command one: with two of them ahead, the next is always ready.
AHEAD = 2
# Seconds between attempts to start one where the server refused.
PAUSES = (0.02, 0.1, 0.5)


class ShellPool:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ahead = AHEAD
        self._starting: deque[Future[paramiko.Channel]] = deque()
        self._fill()

    def take(self, deadline: float) -> paramiko.Channel:
        """A shell that waits for its script, and others started in its place.

        Raises TimeoutError when the deadline (time.monotonic) is over, paramiko's SSHException or EOFError where the
        server starts none.
        """
        channel = self._take_started(deadline)
        self._fill()
        return channel or self._start_patiently(deadline)

    def _take_started(self, deadline: float) -> paramiko.Channel | None:
        while self._starting and self._transport.is_active():
            try:
                channel = self._starting.popleft().result(max(0, deadline - time.monotonic()))
            except (paramiko.SSHException, EOFError):
                # sshd_config's MaxSessions: one more at a time is one too many.
                self._ahead = max(0, self._ahead - 1)
                continue
            if not channel.closed:
                return channel
            # It gave up waiting: bash's TMOUT ends an idle `read`.
        return None

    def _start_patiently(self, deadline: float) -> paramiko.Channel:
        """One now. Where few are allowed at once, the server counts one that has just ended for a little longer."""
        for pause in PAUSES:
            try:
                return self._start().result(max(0, deadline - time.monotonic()))
            except paramiko.ChannelException:
                time.sleep(pause)
        return self._start().result(max(0, deadline - time.monotonic()))

    def _fill(self) -> None:
        while len(self._starting) < self._ahead and self._transport.is_active():
            self._starting.append(self._start())

    def _start(self) -> Future[paramiko.Channel]:
        future: Future[paramiko.Channel] = Future()

        def work() -> None:
            try:
                channel = self._transport.open_session()
                try:
                    channel.exec_command(LOGIN_COMMAND)
                except BaseException:
                    with contextlib.suppress(EOFError, OSError, paramiko.SSHException):
                        channel.close()
                    raise
            except BaseException as exc:  # noqa: BLE001 - raised again where the shell is taken
                future.set_exception(exc)
            else:
                future.set_result(channel)

        # In a thread that nobody waits for at exit: it ends with the transport.
        threading.Thread(target=work, daemon=True).start()
        return future
