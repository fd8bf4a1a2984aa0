"""Run a shell on a host, for computers without `ssh`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import paramiko

from machinectl.errors import Hint
from machinectl.process_streams import Input, Limits, Stdin
from machinectl.ssh.native.native_login import FAILURES, failure_reason
from machinectl.ssh.native.native_session import native_session, pass_on
from machinectl.ssh.session import Transfer
from machinectl.ssh.ssh_errors import SSHError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.ssh.session import SSHSession


def run_shell(session: SSHSession, command: Sequence[str] = ()) -> int:
    """Return the exit status.

    As with ssh, only a shell gets a terminal, if stdin is one. Spaces join a command's words.
    """
    wants_terminal = not command and sys.stdin.isatty()
    try:
        own = native_session(session)
        channel = own.open_channel()
        with contextlib.ExitStack() as stack:
            stack.callback(channel.close)
            if wants_terminal:
                columns, rows = os.get_terminal_size(sys.stdin.fileno())
                channel.get_pty(os.environ.get("TERM", "dumb"), columns, rows)
                stack.enter_context(raw_terminal())
                stack.enter_context(following_size(channel))
            if command:
                channel.exec_command(" ".join(command))
            else:
                channel.invoke_shell()
            stdin = Stdin(input=Input(sys.stdin.fileno(), shared=False))
            pass_on(channel, Transfer(stdin, Printer()), Limits(None, None))
            return own.exit_status(channel)
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


@contextlib.contextmanager
def following_size(channel: paramiko.Channel) -> Iterator[None]:
    def tell() -> None:
        columns, rows = os.get_terminal_size(sys.stdin.fileno())
        with contextlib.suppress(*FAILURES):
            channel.resize_pty(columns, rows)

    def on_change(*_: object) -> None:
        # Use a thread: the signal may arrive while this thread holds paramiko's send lock.
        threading.Thread(target=tell, daemon=True).start()

    before = signal.signal(signal.SIGWINCH, on_change)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
