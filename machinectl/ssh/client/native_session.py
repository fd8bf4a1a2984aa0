"""Run commands over paramiko."""

from __future__ import annotations

import contextlib
import selectors
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import paramiko

from machinectl.errors import MachineError
from machinectl.process_streams import CHUNK, GRACE, InputReader, Limits
from machinectl.ssh.client.native_login import FAILURES, failure_reason
from machinectl.ssh.client.session import SSHSession, Transfer
from machinectl.ssh.framing import LOGIN_COMMAND
from machinectl.ssh.runner import COMMAND_TIMEOUT
from machinectl.ssh.ssh_errors import (
    ConnectionLost,
    SSHError,
    command_timeout,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.process_streams import Stdin

# paramiko wakes a thread that waits for a channel. If it misses one, the thread checks after this time. Seconds.
POLL = 1.0
# How long to wait for the server to close a channel, in seconds: a daemon that the script started may keep it open.
LINGER = 1.0
# Seconds between two looks, and between attempts to open a session: a server with few may still count one that ended.
LOOK_SECONDS = 0.01
PAUSES = (0.02, 0.1, 0.5)


@dataclass(kw_only=True, eq=False, repr=False)
class NativeSession(SSHSession):
    client: paramiko.SSHClient

    def __post_init__(self) -> None:
        self._transport = transport_of(self.client)
        # Why we closed the connection, as a clause.
        self._verdict = ""
        self._closed = threading.Event()
        self.stack.callback(self._closed.set)
        threading.Thread(target=self._keep_alive, daemon=True).start()

    def _keep_alive(self) -> None:
        """Close the connection if the server does not answer, as OpenSSH's ServerAliveInterval."""
        settings = self.settings
        patience = settings.alive_interval * max(1, settings.alive_count)
        while not self._closed.wait(settings.alive_interval) and self._transport.is_active():
            # A server that does not know the request refuses it (RFC 4254 4), which is also an answer.
            ask = partial(self._transport.global_request, "keepalive@openssh.com")
            asking = threading.Thread(target=suppressing, args=(ask,), daemon=True)
            asking.start()
            asking.join(patience)
            if asking.is_alive():
                self._verdict = f"no sign of life for {patience:.0f} s"
                self._transport.close()

    def open_channel(self, *, window: int | None = None, packet: int | None = None) -> paramiko.Channel:
        """`window` and `packet` are in bytes."""
        for pause in (*PAUSES, None):
            try:
                return self._transport.open_session(window, packet, timeout=COMMAND_TIMEOUT)
            except paramiko.ChannelException as exc:
                if pause is None:
                    raise self._no_session(exc) from exc
                time.sleep(pause)
            except FAILURES as exc:
                raise self._lost() from exc
        raise AssertionError

    def _no_session(self, failure: Exception) -> SSHError:
        return SSHError(
            f"{self.settings.address} opens no session for {self.settings.user}: {failure_reason(failure)}",
            "On the host: MaxSessions in sshd_config, and journalctl -u ssh",
        )

    def check_alive(self) -> None:
        """Raises ConnectionLost."""
        if not self._is_alive():
            raise self._lost()

    def exit_status(self, channel: paramiko.Channel) -> int:
        """Return 255 if the status is unknown."""
        self.check_alive()
        return channel.exit_status if channel.exit_status >= 0 else 255

    @contextlib.contextmanager
    def sftp(self) -> Iterator[paramiko.SFTPClient]:
        """Copy files by SFTP. Raises SSHError if the host has none, or the connection is lost."""
        try:
            client = self.client.open_sftp()
        except (*FAILURES, paramiko.SFTPError) as exc:
            raise SSHError(
                f"{self.settings.address} does not speak SFTP: {failure_reason(exc)}",
                "On the host, in sshd_config: Subsystem sftp internal-sftp; if a start-up file of the shell prints "
                f"something, it must not: ssh {self.settings.login_options} true",
            ) from exc
        with client:
            try:
                yield client
            except (EOFError, paramiko.SSHException, paramiko.SFTPError) as exc:
                raise self._lost() from exc

    def _transfer(self, given: Transfer) -> int | None:
        limits = Limits(given.stop, given.timeout)
        start = partial(self._start, COMMAND_TIMEOUT if given.timeout is None else given.timeout)
        channel = given.stop.unless(start, close) if given.stop else start()
        if channel is None:
            return None
        feeder = ChannelFeeder(channel, given.stdin)
        try:
            if not listen_to_channel(channel, given, feeder.send_rest, limits):
                return None
            if not given.stop:
                await_close(channel)
            return channel.exit_status
        finally:
            feeder.close()

    def _start(self, timeout: float) -> paramiko.Channel:
        """Start LOGIN_COMMAND. Raises SSHError."""
        channel = self.open_channel()
        # paramiko waits for the answer without a limit.
        late = threading.Timer(timeout, close, [channel])
        late.daemon = True
        late.start()
        try:
            channel.exec_command(LOGIN_COMMAND)
        except FAILURES as exc:
            close(channel)
            if not late.is_alive():
                raise command_timeout(self.settings.address, timeout) from exc
            raise (self._no_session(exc) if self._is_alive() else self._lost()) from exc
        finally:
            late.cancel()
        return channel

    def _is_alive(self) -> bool:
        return self._transport.is_active()

    def _lost(self, why: str = "") -> ConnectionLost:
        return super()._lost(why or self._verdict or failure_reason(self._transport.get_exception()))


class ChannelFeeder:
    """Sends a script's stdin in a thread: the script may end before it reads all of it."""

    def __init__(self, channel: paramiko.Channel, stdin: Stdin) -> None:
        self._channel = channel
        self._stdin = stdin
        self._reader = InputReader(stdin.input) if stdin.input else None
        self._may_send_rest = threading.Event()
        self._is_closed = False
        # Data after the end of its channel would end the whole connection.
        self._sending = threading.Lock()
        # `send` waits no longer for the host's window.
        channel.settimeout(LOOK_SECONDS)
        threading.Thread(target=suppressing, args=(self._send_all,), daemon=True).start()

    def send_rest(self) -> None:
        """Send what follows `first`. Idempotent."""
        self._may_send_rest.set()

    def close(self) -> None:
        """End the channel, and the thread."""
        self._is_closed = True
        self._may_send_rest.set()
        if self._reader:
            self._reader.close()
        with self._sending:
            close(self._channel)

    def _send_all(self) -> None:
        self._send(self._stdin.first)
        self._may_send_rest.wait()
        self._send(self._stdin.data)
        while self._reader and (data := self._reader.read()):
            self._send(data)
        with self._sending:
            if not self._is_closed:
                self._channel.shutdown_write()

    def _send(self, data: bytes) -> None:
        sent = 0
        while sent < len(data) and not self._is_closed:
            with self._sending, contextlib.suppress(TimeoutError):
                if not self._is_closed:
                    sent += self._channel.send(data[sent : sent + CHUNK])


def listen_to_channel(
    channel: paramiko.Channel, given: Transfer, send_rest: Callable[[], None], limits: Limits
) -> bool:
    """Call `send_rest` when the script may be sent. At a limit, read a little longer, and return False."""
    with selectors.PollSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        if limits.stop:
            selector.register(limits.stop, selectors.EVENT_READ)
        while True:
            closed = channel.closed
            data_came = False
            for is_there, receive, on_stderr in (
                (channel.recv_ready, channel.recv, False),
                (channel.recv_stderr_ready, channel.recv_stderr, True),
            ):
                if is_there():
                    data_came = True
                    if given.output.take(receive(CHUNK), on_stderr):
                        return not limits.is_ending
            if closed and not data_came:
                return not limits.is_ending
            if given.output.is_ready and not limits.is_ending:
                send_rest()
            if limits.is_stopped and not limits.start_ending(selector, given.end):
                return False
            if not data_came:
                patience = limits.select_timeout
                selector.select(min(GRACE / 10 if limits.is_ending else POLL, POLL if patience is None else patience))


def await_close(channel: paramiko.Channel) -> None:
    """Wait for the server, because some allow few sessions."""
    deadline = time.monotonic() + LINGER
    while not channel.closed and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)


def close(channel: paramiko.Channel) -> None:
    suppressing(channel.close)


def suppressing(work: Callable[[], object]) -> None:
    """Call `work`; whoever reads finds out that a connection has ended."""
    with contextlib.suppress(*FAILURES, MachineError):
        work()


def native_session(session: SSHSession) -> NativeSession:
    """Raises SSHError for a session of the system's ssh."""
    if isinstance(session, NativeSession):
        return session
    raise SSHError(f"The system's ssh has logged in at {session.settings.address}", "Run it again with --native-ssh")


def transport_of(client: paramiko.SSHClient) -> paramiko.Transport:
    """Return the transport of a client that has connected."""
    return cast("paramiko.Transport", client.get_transport())
