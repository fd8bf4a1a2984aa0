"""Run commands over paramiko, by its public API alone (`--native-ssh`, no `ssh` here)."""

from __future__ import annotations

import contextlib
import os
import selectors
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import paramiko

from machinectl.errors import Hint, MachineError, one_line
from machinectl.process_streams import CHUNK, GRACE, Feeder, Input, Limits, Stdin
from machinectl.ssh.framing import LOGIN_COMMAND
from machinectl.ssh.runner import COMMAND_TIMEOUT
from machinectl.ssh.session import SSHSession, Transfer
from machinectl.ssh.ssh_errors import LONGEST_SAID, ConnectionLost, SSHError, command_timeout, no_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# paramiko raises these if a connection ends.
FAILURES = (EOFError, OSError, paramiko.SSHException)
# paramiko wakes a thread that waits for a channel. If it misses one, the thread checks after this time. Seconds.
POLL = 1.0
# Seconds that sending waits for the host's window, and between attempts to open a session: a server with few may count
# one that ended.
LOOK_SECONDS = 0.01
PAUSES = (0.02, 0.1, 0.5)


@dataclass(kw_only=True, eq=False, repr=False)
class NativeSession(SSHSession):
    client: paramiko.SSHClient

    def __post_init__(self) -> None:
        self._transport = transport_of(self.client)

    def open_channel(self, timeout: float = COMMAND_TIMEOUT) -> paramiko.Channel:
        for pause in (*PAUSES, None):
            try:
                return self._transport.open_session(timeout=timeout)
            except paramiko.ChannelException as exc:
                if pause is None:
                    raise no_session(self.settings) from exc
                time.sleep(pause)
            except FAILURES as exc:
                raise (command_timeout(self.settings.address, timeout) if self._is_alive() else self._lost()) from exc
        raise AssertionError

    def transfer(self, given: Transfer) -> int | None:
        limits = Limits(given.stop, given.timeout)
        start = partial(self._start, given.timeout or COMMAND_TIMEOUT)
        channel = given.stop.unless(start, close) if given.stop else start()
        if channel is None:
            return None
        return channel.exit_status if pass_on(channel, given, limits) else None

    def _start(self, timeout: float) -> paramiko.Channel:
        """Start LOGIN_COMMAND. Raises SSHError."""
        channel = self.open_channel(timeout)
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
            raise (no_session(self.settings) if self._is_alive() else self._lost()) from exc
        finally:
            late.cancel()
        return channel

    def _is_alive(self) -> bool:
        return self._transport.is_active()

    def _lost(self, why: str = "") -> ConnectionLost:
        return super()._lost(why or failure_reason(self._transport.get_exception()))


class ChannelFeeder(Feeder):
    """Sends a script's stdin in a thread: the script may end before it reads all of it."""

    _stream: paramiko.Channel

    def _prepare(self) -> None:
        self._stream.settimeout(LOOK_SECONDS)

    def _send(self, data: bytes) -> None:
        try:
            while data and not self._stopped:
                with contextlib.suppress(TimeoutError):
                    data = data[self._stream.send(data[:CHUNK]) :]
        except FAILURES:
            self._stopped = True

    def _close(self) -> None:
        # Data after the end of a channel would end the whole connection.
        suppressed(self._stream.close if self._stopped else self._stream.shutdown_write)


def pass_on(channel: paramiko.Channel, given: Transfer, limits: Limits) -> bool:
    """Send stdin when the script is ready, and read its output; close the channel.

    At a limit, read a little longer, and return False.
    """
    streams = ((channel.recv_ready, channel.recv, False), (channel.recv_stderr_ready, channel.recv_stderr, True))
    with contextlib.ExitStack() as stack:
        feeder = ChannelFeeder(channel, given.stdin)
        stack.callback(feeder.stop)
        feeder.start()
        selector = stack.enter_context(selectors.PollSelector())
        selector.register(channel, selectors.EVENT_READ)
        if limits.stop:
            selector.register(limits.stop, selectors.EVENT_READ)
        while True:
            is_over = channel.closed
            for is_there, receive, on_stderr in streams:
                if is_there():
                    is_over = given.output.take(receive(CHUNK), on_stderr)
                    break
            else:
                if not is_over:
                    patience = limits.select_timeout
                    most = GRACE / 10 if limits.is_ending else POLL
                    selector.select(most if patience is None else min(most, patience))
            if is_over:
                return not limits.is_ending
            if given.output.is_ready and not limits.is_ending:
                feeder.send_rest()
            if limits.is_stopped and not limits.start_ending(selector, given.end):
                return False


def transport_of(client: paramiko.SSHClient) -> paramiko.Transport:
    """Return the transport of a client that has connected."""
    return cast("paramiko.Transport", client.get_transport())


def close(channel: paramiko.Channel) -> None:
    suppressed(channel.close)


def suppressed(work: Any) -> None:
    """Call `work`; whoever reads finds out that a connection has ended."""
    with contextlib.suppress(*FAILURES, MachineError):
        work()


def failure_reason(failure: BaseException | None) -> str:
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    if failure is None or isinstance(failure, EOFError):
        return "it was closed"
    if isinstance(failure, TimeoutError):
        return "it gave no answer in time"
    if not isinstance(failure, FAILURES):
        # A failure in paramiko's thread, such as struct.error or IndexError.
        return "it sends broken packets"
    said = failure.text if isinstance(failure, paramiko.ChannelException) else failure
    return one_line(str(said), LONGEST_SAID) or type(failure).__name__


def run_shell(session: SSHSession, command: Sequence[str] = ()) -> int:
    """Return the exit status, 255 if it is unknown.

    As with ssh, only a shell gets a terminal, if stdin is one. Spaces join a command's words.
    """
    try:
        own = cast("NativeSession", session)
        channel = own.open_channel()
        with contextlib.ExitStack() as stack:
            stack.callback(channel.close)
            if command:
                channel.exec_command(" ".join(command))
            else:
                if sys.stdin.isatty():
                    columns, rows = os.get_terminal_size(sys.stdin.fileno())
                    channel.get_pty(os.environ.get("TERM", "dumb"), columns, rows)
                    stack.enter_context(raw_terminal())
                channel.invoke_shell()
            stdin = Stdin(input=Input(sys.stdin.fileno(), shared=False))
            pass_on(channel, Transfer(stdin, Printer()), Limits(None, None))
            own.check_alive()
            return channel.exit_status if channel.exit_status >= 0 else 255
    except (paramiko.SSHException, EOFError) as exc:
        raise SSHError(
            f"The shell at {session.settings.address} failed: {failure_reason(exc)}", Hint("Try again with --debug")
        ) from exc


class Printer:
    started = is_ready = True

    def take(self, data: bytes, on_stderr: bool) -> bool:
        stream = sys.stderr.buffer if on_stderr else sys.stdout.buffer
        stream.write(data)
        stream.flush()
        return False


@contextlib.contextmanager
def raw_terminal() -> Iterator[None]:
    """Pass on each key at once, even ^C."""
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
