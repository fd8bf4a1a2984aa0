"""One connection to a host, many commands."""

from __future__ import annotations

import contextlib
import secrets
import selectors
import threading
import time
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Self

import paramiko

from machinectl.errors import MachineError
from machinectl.process_streams import CHUNK, GRACE
from machinectl.ssh import framing
from machinectl.ssh.client import denials
from machinectl.ssh.client.handshake import failure_reason
from machinectl.ssh.client.shell_pool import ShellPool
from machinectl.ssh.runner import COMMAND_TIMEOUT, CommandResult
from machinectl.ssh.script_output import ScriptOutput, end_command
from machinectl.ssh.signals import is_signalled, status_text
from machinectl.ssh.ssh_errors import (
    CommandFailed,
    CommandTimeout,
    ConnectionLost,
    NoShell,
    SSHError,
    may_run,
    no_status,
    shell_ended,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from types import TracebackType

    from machinectl.process_streams import Input, Reader, StopEvent
    from machinectl.ssh.client.transport import Transport
    from machinectl.ssh.framing import Framed
    from machinectl.ssh.runner import Runner
    from machinectl.ssh.script_output import WriteOutput
    from machinectl.ssh.ssh_settings import Settings

# A channel is closed by the server, or its transport by the keep-alive; this is how often a dead one is noticed at
# the latest should the wake-up be missed. Seconds.
POLL = 1.0
# The server closes a channel when the last process that holds its output has ended. A daemon that a script left behind
# with its output open would keep it for ever; the script itself has ended by then.
LINGER = 1.0
# Where the closing marks are looked for, and the last that was said: the end of a stream, in bytes.
TAIL = 4096
# What a command may print on both streams. Nothing that is asked of a host has as much to say; in bytes.
MOST_OUTPUT = 16 << 20
# How long what ends a command may take, in seconds.
END_SECONDS = 10.0


class TooMuch(Exception):
    """A command prints more than MOST_OUTPUT."""


class Session(ABC):
    """A host that we are logged in to. Not to be shared between threads."""

    def __init__(
        self,
        settings: Settings,
        stack: ExitStack,
        *,
        known_hosts: bytes,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings
        # What to keep as the machine's known_hosts.
        self.known_hosts = known_hosts
        self._stack = stack
        self._trace = trace
        # Whether it has run a command of ours.
        self._obeyed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; those to jump hosts with it."""
        self._stack.close()

    @property
    def user(self) -> str:
        return self.settings.user

    def run(
        self,
        script: str,
        *,
        input: bytes = b"",  # noqa: A002 - subprocess.run's name for it
        timeout: float = COMMAND_TIMEOUT,
        check: bool = True,
        shown: str = "",
        secret: bool = False,
    ) -> CommandResult:
        """Run a script as the user who logged in; see Runner."""
        lines = partial(framing.as_user, script)
        framed = self.exchange(lines, shown or script, input, timeout, secret=secret)
        if not framed.started:
            raise self.no_shell(framed)
        return self.result(framed, check=check)

    def follow(
        self,
        script: str,
        say: WriteOutput,
        over: StopEvent,
        *,
        input: Input | None = None,  # noqa: A002 - as in `run`
    ) -> int | None:
        """Run a script as the user who logged in, in the environment of a login; see Follower."""
        self.tell(script)
        following = self.pursue(lambda mark: framing.as_user(script, mark, framing.followed), self, say, over, input)
        if not following.started and following.shell_status is not None:
            raise denials.instead_of_commands(self.settings, following.noise)
        return self.end_of(following)

    def pursue(
        self, lines: Callable[[str], str], runner: Runner, say: WriteOutput, over: StopEvent, given: Input | None
    ) -> ScriptOutput:
        """Send what starts a script, made by `lines` of a mark, and its input; pass on what comes back as it comes.

        `runner` may end it, where it is over before.
        """
        mark = secrets.token_hex(16)
        following = ScriptOutput(mark, say)

        def end() -> None:
            if following.process:
                following.may_run = True
                with contextlib.suppress(SSHError):
                    ended = runner.run(end_command(following.process), timeout=END_SECONDS, check=False)
                    following.may_run = ended.status != 0

        following.shell_status = self._follow(*framing.parted(lines(mark)), given, following, over, end)
        self._obeyed = self._obeyed or following.started
        return following

    def end_of(self, following: ScriptOutput) -> int | None:
        """The exit status of a script that was followed; None where it was over before, and was ended."""
        if following.may_run:
            raise may_run(self.settings.address)
        if following.shell_status is None or following.status is not None:
            return None if following.shell_status is None else following.status
        following.finish()
        if following.is_whole:
            raise no_status(self.settings.address)
        if is_signalled(following.shell_status):
            return following.shell_status
        if not self._is_alive():
            raise self._lost()
        raise shell_ended(self.settings.address)

    @abstractmethod
    def open_channel(self, *, window: int | None = None, packet: int | None = None) -> paramiko.Channel:
        """Open a channel for a person's shell or for SFTP; `window` and `packet` are in bytes."""

    @abstractmethod
    def exit_status(self, channel: paramiko.Channel) -> int:
        """Return the exit status of the command on a closed channel, as in a shell; 255 if it is unknown."""

    def exchange(
        self, lines: Callable[[str], str], shown: str, data: bytes, timeout: float, *, secret: bool = False
    ) -> Framed:
        """Send what starts a script, made by `lines` of a mark, and then its input; return what came back."""
        mark = secrets.token_hex(16)
        self.tell(shown)
        sent = lines(mark).encode(errors="surrogateescape") + data
        framed = self._converse(sent, mark, timeout)
        for stream in (framed.stdout, framed.stderr):
            if stream and self._trace and not secret:
                self._trace(stream.decode(errors="replace").rstrip("\n"))
        return framed

    def tell(self, shown: str) -> None:
        """Trace a command."""
        if self._trace:
            self._trace(f"{self.settings.login}$ {shown}")

    def result(self, framed: Framed, *, check: bool) -> CommandResult:
        """The result of a script that was started. Raises CommandFailed, SSHError where it was ended from outside."""
        said = last_line(framed.stderr)
        if framed.status is None:
            raise shell_ended(self.settings.address, said)
        result = CommandResult(framed.status, framed.stdout, framed.stderr)
        if check and result.status != 0:
            raise CommandFailed(
                f"{self.settings.address}: {said or 'a command failed'} ({status_text(result.status)})",
                "See each command and its output: --debug",
                result,
            )
        return result

    def no_shell(self, framed: Framed) -> NoShell:
        return denials.instead_of_commands(self.settings, framed.noise.decode(errors="replace"))

    def _converse(self, sent: bytes, mark: str, timeout: float) -> Framed:
        stdout, stderr = bytearray(), bytearray()
        try:
            self._carry(sent, mark, time.monotonic() + timeout, stdout, stderr)
        except TimeoutError as exc:
            framed = framing.unframe(bytes(stdout), bytes(stderr), mark)
            if framed.noise and not framed.started and not self._obeyed:
                raise self.no_shell(framed) from exc
            raise CommandTimeout(
                f"{self.settings.address} did not finish a command within {timeout:.0f} s",
                "It may still be running there; see which: --debug",
            ) from exc
        except TooMuch as exc:
            raise SSHError(
                f"{self.settings.address} answers a command with more than {MOST_OUTPUT >> 20} MB: it was left",
                f"See which command: --debug; and what it prints at a login: ssh {self.settings.login_options} true",
            ) from exc
        framed = framing.unframe(bytes(stdout), bytes(stderr), mark)
        self._obeyed = self._obeyed or framed.started
        if framed.status is None and not self._is_alive():
            raise self._lost()
        return framed

    @abstractmethod
    def _carry(self, sent: bytes, mark: str, deadline: float, stdout: bytearray, stderr: bytearray) -> None:
        """Start LOGIN_COMMAND, send all that is for it, and take what it prints until its closing marks or its end.

        Raises TimeoutError when the deadline (time.monotonic) is over, TooMuch, SSHError where nothing is started.
        """

    @abstractmethod
    def _follow(
        self,
        first: bytes,
        line: bytes,
        given: Input | None,
        following: ScriptOutput,
        over: StopEvent,
        end: Callable[[], None],
    ) -> int | None:
        """Start LOGIN_COMMAND, send its input, and pass its output to `following` until it ends.

        `first` is sent at once, the script's `line` and the input `given` when `following` is ready. Return the exit
        status of its shell, -1 if it is unknown, None if it was `over` before; `end` then ends the script. Raises
        SSHError if it cannot be started.
        """

    @abstractmethod
    def _is_alive(self) -> bool:
        """Whether the connection is still there."""

    def _lost(self, why: str = "it was closed") -> ConnectionLost:
        return ConnectionLost(
            f"The connection to {self.settings.address} was lost ({why})",
            f"When it is back, run the same command again; try: ssh {self.settings.login_options} true",
        )


class OwnSession(Session):
    """A session over paramiko."""

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        stack: ExitStack,
        *,
        known_hosts: bytes,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(settings, stack, known_hosts=known_hosts, trace=trace)
        self._transport = transport
        self._alive = KeepAlive(transport, settings.alive_interval, max(1, settings.alive_count))
        stack.callback(self._alive.stop)
        self._shells = ShellPool(transport)

    def open_channel(self, *, window: int | None = None, packet: int | None = None) -> paramiko.Channel:
        try:
            return self._transport.open_session(window, packet, timeout=COMMAND_TIMEOUT)
        except (paramiko.SSHException, EOFError, OSError) as exc:
            raise self._lost() from exc

    def exit_status(self, channel: paramiko.Channel) -> int:
        if not self._transport.is_active():
            raise self._lost()
        return channel.exit_status if channel.exit_status >= 0 else 255

    def _carry(self, sent: bytes, mark: str, deadline: float, stdout: bytearray, stderr: bytearray) -> None:
        channel = self._take_shell(deadline)
        feeding = threading.Thread(target=feed, args=(channel, sent), daemon=True)
        try:
            feeding.start()
            read(channel, stdout, stderr, mark, deadline)
        finally:
            close(channel)
            feeding.join(LINGER)

    def _follow(
        self,
        first: bytes,
        line: bytes,
        given: Input | None,
        following: ScriptOutput,
        over: StopEvent,
        end: Callable[[], None],
    ) -> int | None:
        deadline = time.monotonic() + COMMAND_TIMEOUT
        channel = over.unless(lambda: self._take_shell(deadline), close)
        if channel is None:
            return None
        reader = given.reader() if given else None
        ready = threading.Event()
        feeding = threading.Thread(target=feed_on, args=(channel, first, ready, line, reader), daemon=True)
        try:
            feeding.start()
            return channel.exit_status if listen(channel, following, ready, over, end) else None
        finally:
            if reader:
                reader.close()
            close(channel)
            # Wake the feeding thread, which then ends.
            ready.set()
            feeding.join(LINGER)

    def _take_shell(self, deadline: float) -> paramiko.Channel:
        try:
            return self._shells.take(deadline)
        except TimeoutError:
            raise
        except (paramiko.SSHException, EOFError, OSError) as exc:
            if not self._transport.is_active():
                raise self._lost() from exc
            raise SSHError(
                f"{self.settings.address} opens no session for {self.settings.user}: {failure_reason(exc)}",
                "On the host: MaxSessions in sshd_config, and journalctl -u ssh",
            ) from exc

    def _is_alive(self) -> bool:
        return self._transport.is_active()

    def _lost(self, why: str = "") -> ConnectionLost:
        return super()._lost(why or self._alive.verdict or failure_reason(self._transport.get_exception()))


class KeepAlive:
    """Asks a server that is silent for a sign of life, and ends the connection where none comes.

    OpenSSH's ServerAliveInterval, in seconds, and ServerAliveCountMax: any packet counts, and asking so often in vain
    is the end. paramiko's own keep-alive expects no answer.
    """

    def __init__(self, transport: Transport, interval: float, count: int) -> None:
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
            heard = self._transport.heard
            if heard >= last:
                unanswered = 0
            if unanswered == self._count:
                self.verdict = f"no sign of life for {time.monotonic() - heard:.0f} s"
                self._transport.close()
            elif unanswered or time.monotonic() - heard > self._interval / 2:
                unanswered, last = unanswered + 1, time.monotonic()
                threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        with contextlib.suppress(EOFError, OSError, paramiko.SSHException):
            # Servers that don't know it refuse it (RFC 4254 4): an answer all the same.
            self._transport.global_request("keepalive@openssh.com")


def feed(channel: paramiko.Channel, data: bytes) -> None:
    """Send all of a command's input, and its end. A command that ends before it has read it is no error."""
    with contextlib.suppress(EOFError, OSError, paramiko.SSHException):
        channel.sendall(data)
        channel.shutdown_write()


def feed_on(
    channel: paramiko.Channel, first: bytes, ready: threading.Event, line: bytes, reader: Reader | None
) -> None:
    """Send `first`, and once the other side is ready, `line` and the input as it comes.

    EOF is sent only at the end of the input, not if reading it fails.
    """
    with contextlib.suppress(EOFError, OSError, paramiko.SSHException, MachineError):
        channel.sendall(first)
        ready.wait()
        channel.sendall(line)
        while reader and (more := reader.read()):
            channel.sendall(more)
        channel.shutdown_write()


def listen(
    channel: paramiko.Channel, following: ScriptOutput, ready: threading.Event, over: StopEvent, end: Callable[[], None]
) -> bool:
    """Pass both streams to `following` until the script or the channel ends; set `ready` when the script may be sent.

    If it is `over` first, call `end`, listen for a moment more, and return False.
    """
    deadline = None
    with selectors.PollSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        selector.register(over, selectors.EVENT_READ)
        while deadline is None or time.monotonic() < deadline:
            closed = channel.closed
            comes = False
            for is_there, receive, on_stderr in (
                (channel.recv_ready, channel.recv, False),
                (channel.recv_stderr_ready, channel.recv_stderr, True),
            ):
                if is_there():
                    comes = True
                    if following.hear(receive(CHUNK), on_stderr):
                        return deadline is None
            if closed and not comes:
                return deadline is None
            if following.is_ready and deadline is None:
                ready.set()
            if over.is_set and deadline is None:
                selector.unregister(over)
                end()
                deadline = time.monotonic() + GRACE
            if not comes:
                selector.select(POLL if deadline is None else GRACE / 10)
    return False


def close(channel: paramiko.Channel) -> None:
    with contextlib.suppress(EOFError, OSError, paramiko.SSHException):
        channel.close()


def read(channel: paramiko.Channel, stdout: bytearray, stderr: bytearray, mark: str, deadline: float) -> None:
    """Take what comes on both streams until the script and its channel have ended. Raises TimeoutError, TooMuch."""
    complete = False
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            closed = channel.closed
            if drain(channel, stdout, stderr) and not complete:
                complete = framing.is_complete(bytes(stdout[-TAIL:]), bytes(stderr[-TAIL:]), mark)
                deadline = min(deadline, time.monotonic() + LINGER) if complete else deadline
            if closed:
                return
            left = deadline - time.monotonic()
            if left <= 0:
                if complete:
                    return
                raise TimeoutError
            selector.select(min(left, POLL))


def drain(channel: paramiko.Channel, stdout: bytearray, stderr: bytearray) -> bool:
    """Take what has come on both streams; whether there was anything. Raises TooMuch."""
    before = len(stdout) + len(stderr)
    for ready, receive, stream in (
        (channel.recv_ready, channel.recv, stdout),
        (channel.recv_stderr_ready, channel.recv_stderr, stderr),
    ):
        while ready():
            stream.extend(receive(1 << 16))
            if len(stdout) + len(stderr) > MOST_OUTPUT:
                raise TooMuch
    return len(stdout) + len(stderr) > before


def last_line(stream: bytes) -> str:
    lines = stream.rstrip()[-TAIL:].decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
