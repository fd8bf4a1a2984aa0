"""Start login shells ahead, each for one script.

This saves two of three round trips: OpenSSH's sshd grants no window before the shell starts.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING

import paramiko

from machinectl.ssh.client.transport import CONNECTION_ERRORS
from machinectl.ssh.framing import LOGIN_COMMAND

if TYPE_CHECKING:
    from machinectl.ssh.client.transport import Transport

# Starting a shell takes two round trips and a quick command one: with two ahead, one is always ready.
AHEAD = 2
# Seconds between attempts after a refusal.
PAUSES = (0.02, 0.1, 0.5)


class ShellPool:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ahead = AHEAD
        self._starting: deque[Future[paramiko.Channel]] = deque()
        self._fill()

    def take(self, deadline: float) -> paramiko.Channel:
        """Raises TimeoutError at the deadline (time.monotonic); SSHException or EOFError if no shell starts."""
        channel = self._take_started(deadline)
        self._fill()
        return channel or self._start_patiently(deadline)

    def _take_started(self, deadline: float) -> paramiko.Channel | None:
        while self._starting and self._transport.is_active():
            try:
                channel = self._starting.popleft().result(max(0, deadline - time.monotonic()))
            except (paramiko.SSHException, EOFError):
                # The server's MaxSessions allows fewer.
                self._ahead = max(0, self._ahead - 1)
                continue
            if not channel.closed:
                return channel
            # bash's TMOUT ended its idle `read`.
        return None

    def _start_patiently(self, deadline: float) -> paramiko.Channel:
        """Retry: a server with few sessions may still count one that just ended."""
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
                    with contextlib.suppress(*CONNECTION_ERRORS):
                        channel.close()
                    raise
            except BaseException as exc:  # noqa: BLE001 - raised again when the shell is taken
                future.set_exception(exc)
            else:
                future.set_result(channel)

        # A daemon thread, so that exit does not wait for it: it ends with the transport.
        threading.Thread(target=work, daemon=True).start()
        return future
