"""Run commands over paramiko's transport."""

from __future__ import annotations

import contextlib
import selectors
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import paramiko

from machinectl.errors import MachineError
from machinectl.process_streams import CHUNK, GRACE, InputReader, Limits
from machinectl.ssh.client.handshake import failure_reason
from machinectl.ssh.client.session import SSHSession
from machinectl.ssh.client.transport import CONNECTION_ERRORS, KeepAlive
from machinectl.ssh.framing import LOGIN_COMMAND
from machinectl.ssh.runner import COMMAND_TIMEOUT
from machinectl.ssh.ssh_errors import ConnectionLost, SSHError, command_timeout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.process_streams import Stdin
    from machinectl.ssh.client.session import Transfer
    from machinectl.ssh.client.transport import Transport

# paramiko wakes a thread that waits for a channel. If it misses one, the thread checks after this time. Seconds.
POLL = 1.0
# How long to wait for the server to close the channel after a script ends: a daemon that the script started may keep
# the channel open. Seconds.
LINGER = 1.0


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


@dataclass(kw_only=True, eq=False, repr=False)
class OwnSession(SSHSession):
    transport: Transport

    def __post_init__(self) -> None:
        settings = self.settings
        self._keep_alive = KeepAlive(self.transport, settings.alive_interval, max(1, settings.alive_count))
        self.stack.callback(self._keep_alive.stop)
        self._shells = ShellPool(self.transport)

    def open_channel(self, *, window: int | None = None, packet: int | None = None) -> paramiko.Channel:
        try:
            return self.transport.open_session(window, packet, timeout=COMMAND_TIMEOUT)
        except CONNECTION_ERRORS as exc:
            raise self._lost() from exc

    @contextlib.contextmanager
    def sftp(self) -> Iterator[paramiko.SFTPClient]:
        """Raises SSHError if the host has no SFTP, or the connection is lost."""
        try:
            client = self.transport.open_sftp_client()
        except (*CONNECTION_ERRORS, paramiko.SFTPError) as exc:
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

    def check_alive(self) -> None:
        """Raises ConnectionLost."""
        if not self._is_alive():
            raise self._lost()

    def exit_status(self, channel: paramiko.Channel) -> int:
        """Return 255 if the status is unknown."""
        self.check_alive()
        return channel.exit_status if channel.exit_status >= 0 else 255

    def _transfer(self, given: Transfer) -> int | None:
        stop, stdin = given.stop, given.stdin
        limits = Limits(stop, given.timeout)
        take_shell = partial(self._take_shell, COMMAND_TIMEOUT if given.timeout is None else given.timeout)
        channel = stop.unless(take_shell, close) if stop else take_shell()
        if channel is None:
            return None
        reader = InputReader(stdin.input) if stdin.input else None
        ready = threading.Event()
        feeding = threading.Thread(target=feed, args=(channel, stdin, ready, reader), daemon=True)
        try:
            feeding.start()
            if not listen_to_channel(channel, given, ready, limits):
                return None
            if not stop:
                await_close(channel)
            return channel.exit_status
        finally:
            if reader:
                reader.close()
            close(channel)
            # Wake the feeding thread, so that it ends.
            ready.set()
            feeding.join(LINGER)

    def _take_shell(self, timeout: float) -> paramiko.Channel:
        try:
            return self._shells.take(time.monotonic() + timeout)
        except TimeoutError as exc:
            raise command_timeout(self.settings.address, timeout) from exc
        except CONNECTION_ERRORS as exc:
            if not self.transport.is_active():
                raise self._lost() from exc
            raise SSHError(
                f"{self.settings.address} opens no session for {self.settings.user}: {failure_reason(exc)}",
                "On the host: MaxSessions in sshd_config, and journalctl -u ssh",
            ) from exc

    def _is_alive(self) -> bool:
        return self.transport.is_active()

    def _lost(self, why: str = "") -> ConnectionLost:
        return super()._lost(why or self._keep_alive.verdict or failure_reason(self.transport.get_exception()))


def feed(channel: paramiko.Channel, stdin: Stdin, ready: threading.Event, reader: InputReader | None) -> None:
    """Send `stdin`, then EOF unless reading fails. The script may end before it reads all input."""
    with contextlib.suppress(*CONNECTION_ERRORS, MachineError):
        channel.sendall(stdin.first)
        ready.wait()
        channel.sendall(stdin.data)
        while reader and (more := reader.read()):
            channel.sendall(more)
        channel.shutdown_write()


def listen_to_channel(channel: paramiko.Channel, given: Transfer, ready: threading.Event, limits: Limits) -> bool:
    """Set `ready` when the script may be sent. At a limit, read a little longer, and return False."""
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
                ready.set()
            if limits.is_stopped and not limits.start_ending(selector, given.end):
                return False
            if not data_came:
                patience = limits.select_timeout
                selector.select(min(GRACE / 10 if limits.is_ending else POLL, POLL if patience is None else patience))


def await_close(channel: paramiko.Channel) -> None:
    """Wait for the server, because some allow few sessions."""
    with channel.lock:
        channel.out_buffer_cv.wait_for(lambda: channel.closed, LINGER)


def close(channel: paramiko.Channel) -> None:
    with contextlib.suppress(*CONNECTION_ERRORS):
        channel.close()


def paramiko_session(session: SSHSession) -> OwnSession:
    """Raises SSHError for a session of the system's ssh."""
    if isinstance(session, OwnSession):
        return session
    raise SSHError(
        f"A shell at {session.settings.address} needs the system's ssh, to which we cannot give a password",
        "Run it again without --native-ssh, a password or another --ssh option: it becomes that ssh then",
    )
