"""Login shells on the host that are started ahead, each waiting for one script.

Otherwise a command takes three round trips: to open a channel, to start the shell, and to send the script (OpenSSH's
sshd grants no window before the command has started). The first two are done while another command runs.
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

# Starting one takes two round trips, a quick command one: with two ahead, one is always ready.
AHEAD = 2
# Seconds between attempts to start one after a refusal.
PAUSES = (0.02, 0.1, 0.5)


class ShellPool:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ahead = AHEAD
        self._starting: deque[Future[paramiko.Channel]] = deque()
        self._fill()

    def take(self, deadline: float) -> paramiko.Channel:
        """Return a waiting shell, and start others.

        Raises TimeoutError at the deadline (time.monotonic), paramiko's SSHException or EOFError if the server starts
        none.
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
        """Start one now. If a server allows few, it may still count one that has just ended."""
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
