"""Keep a connection alive (OpenSSH's ServerAliveInterval and ServerAliveCountMax)."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from machinectl.ssh.client.transport import CONNECTION_ERRORS

if TYPE_CHECKING:
    from machinectl.ssh.client.transport import Transport


class KeepAlive:
    """Probes a silent server every `interval` seconds; disconnects after `count` probes without any packet.

    paramiko's own keep-alive waits for no answer.
    """

    def __init__(self, transport: Transport, interval: float, count: int) -> None:
        # Why the connection was closed, as a clause.
        self.verdict = ""
        self._transport = transport
        self._interval = interval
        self._count = count
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        unanswered, last = 0, 0.0
        while not self._stopped.wait(self._interval) and self._transport.is_active():
            heard = self._transport.packets.heard
            if heard >= last:
                unanswered = 0
            if unanswered == self._count:
                self.verdict = f"no sign of life for {time.monotonic() - heard:.0f} s"
                self._transport.close()
            elif unanswered or time.monotonic() - heard > self._interval / 2:
                unanswered, last = unanswered + 1, time.monotonic()
                threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        with contextlib.suppress(*CONNECTION_ERRORS):
            # A server that does not know the request refuses it (RFC 4254 4), which is also an answer.
            self._transport.global_request("keepalive@openssh.com")
