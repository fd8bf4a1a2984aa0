"""Forward local ports over a connection of the system's ssh. Must not import paramiko.

The connection ends with this process, even after kill -9: a shell that ssh starts reads a pipe of ours, and ends ssh
when the pipe closes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import MachineError
from machinectl.foreground_program import STDERR
from machinectl.ssh.openssh import multiplexing
from machinectl.ssh.openssh.ssh_options import (
    BACKGROUND,
    READY,
    SHELL,
    openssh_command,
    option_words,
    quote_config_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.ssh.destination import SSHEndpoint

# A lost host is noticed after 15 to 20 seconds.
OPTIONS = {
    **BACKGROUND,
    "LogLevel": "INFO",
    "ConnectTimeout": "15",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
}
# ssh wants a host's name with a request, and does not use it.
HOST = "host"
# Seconds for the end of ssh.
END_SECONDS = 2.0
# Lines of ssh's messages to keep, and bytes of a line.
MOST_KEPT, LONGEST_LINE = 20, 1 << 12


class ControlRemoved(MachineError):
    """A logout removes $XDG_RUNTIME_DIR, with the socket of an ssh that goes on."""

    def __init__(self, control: str) -> None:
        super().__init__(
            f"{control} was removed, and without it ssh opens no more ports",
            "Run this again; to keep such sockets after a logout: loginctl enable-linger",
        )


class ForwardedPort(NamedTuple):
    """`target` is an address as the host sees it."""

    address: str
    port: int
    target: str
    target_port: int

    def rule(self) -> str:
        """Return the argument of ssh's -L."""
        return f"{bracketed(self.address)}:{self.port}:{bracketed(self.target)}:{self.target_port}"


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def forwarding_command(endpoint: SSHEndpoint, known_hosts: str, control: str, *, asks: bool) -> list[str]:
    """`control` is the path of its socket. ssh prompts on the terminal if it `asks`."""
    options = {**OPTIONS, "ControlPath": quote_config_path(control), "BatchMode": "no" if asks else "yes"}
    return openssh_command(endpoint, known_hosts=known_hosts, arguments=[*option_words(options), "-N", "-T"])


def error_stream() -> tuple[int, int]:
    """Return our end first. It is a terminal if our stderr is: ssh asks to touch a security key only there."""
    if not os.isatty(STDERR):
        return os.pipe()
    import tty

    ours, theirs = os.openpty()
    tty.setraw(theirs)
    return ours, theirs


class ForwardingConnection:
    """A running ssh. `notice` gets each line of its messages."""

    def __init__(self, command: Sequence[str], control: str, notice: Callable[[str], None]) -> None:
        """Start ssh. Raises MachineError."""
        self.said: deque[str] = deque(maxlen=MOST_KEPT)
        self._control = control
        self._notice = notice
        # With a socket there, ssh would keep none.
        with suppress(FileNotFoundError):
            os.unlink(control)
        ours, theirs = error_stream()
        # ^C at a terminal signals the whole group: we end ssh ourselves.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, **SHELL}
            )
        except OSError as exc:
            os.close(ours)
            raise MachineError(f"ssh cannot be started: {exc.strerror}", "Try: ssh -V") from exc
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(theirs)
        self._listener = threading.Thread(target=self._listen, args=(ours,), daemon=True)
        self._listener.start()

    def wait_until_ready(self) -> bool:
        """Return False if ssh ends without a login."""
        for line in self._process.stdout or ():
            if line == READY:
                return True
        self.wait()
        return False

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait until ssh has ended."""
        self._process.wait()
        # This ends the guard.
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        self._listener.join(END_SECONDS)

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.wait()

    def add(self, ports: Sequence[ForwardedPort]) -> bool:
        """Return False if ssh cannot listen on one of them; then none is added. Raises ControlRemoved."""
        if self._request("forward", ports):
            return True
        if self.is_running and not os.path.lexists(self._control):
            raise ControlRemoved(self._control)
        self.remove(ports)
        return False

    def remove(self, ports: Sequence[ForwardedPort]) -> None:
        self._request("cancel", ports)

    def _request(self, request: str, ports: Sequence[ForwardedPort]) -> bool:
        rules = [word for port in ports for word in ("-L", port.rule())]
        return multiplexing.control(self._control, HOST, request, *rules)

    def _listen(self, descriptor: int) -> None:
        # At the end, a pseudo-terminal fails with EIO.
        with open(descriptor, "rb") as stream, suppress(OSError):
            while raw := stream.readline(LONGEST_LINE):
                line = raw.decode(errors="replace").rstrip("\r\n")
                self.said.append(line)
                self._notice(line)
