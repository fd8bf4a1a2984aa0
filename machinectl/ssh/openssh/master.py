"""The background ssh of a session (ControlMaster): commands and forwarded ports go through its connection."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

from machinectl.process_streams import run_streamed
from machinectl.ssh import framing
from machinectl.ssh.openssh import multiplexing
from machinectl.ssh.openssh.login_log import LoginLog, read_log
from machinectl.ssh.openssh.ssh_options import option_words, quote_config_path
from machinectl.ssh.ssh_errors import no_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import ExitStack

    from machinectl.ssh.destination import Settings
    from machinectl.ssh.session import Transfer

# Seconds for a free session, and for the end of ssh.
SESSION_SECONDS, END_SECONDS = 5.0, 2.0
# Pauses after "Session open refused", in seconds: sshd may still count a session that has ended.
PAUSES = (0.02, 0.1, 0.5)
REFUSED_SESSION = r"session request failed"
SSH_FAILED = 255
# Seconds for the end of a connection to be noticed, and between looks at its log.
NOTICED_SECONDS, LOOK_SECONDS = 0.5, 0.1
# Bytes of the log before it is emptied, and of a line.
MOST_LOG, LONGEST_LINE = 1 << 20, 1 << 12
# ssh wants a host's name with a request, and does not use it.
HOST = "host"


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


class Master:
    """It ends with this process, even after kill -9. `control` is its socket."""

    def __init__(
        self, process: subprocess.Popen[bytes], control: str, log: str, settings: Settings, stack: ExitStack
    ) -> None:
        self.process = process
        self.control = control
        self._log = log
        self._settings = settings
        self._numbers = itertools.count()
        stack.callback(self.close)
        # After an interrupt, the process may end before this thread.
        atexit.register(self.close)

    def close(self) -> None:
        atexit.unregister(self.close)
        end_group(self.process)

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def is_alive(self) -> bool:
        """Wait a moment: a command may notice first that the connection is lost."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(NOTICED_SECONDS)
        return self.is_running

    @property
    def log(self) -> LoginLog:
        return read_log(self._log)

    def lines(self) -> Iterator[str]:
        """Yield what ssh logs, until it ends."""
        # Another thread may have closed the session, and removed the log.
        with contextlib.suppress(FileNotFoundError), open(self._log, "rb") as file:
            is_running = True
            while is_running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(LOOK_SECONDS)
                is_running = self.is_running
                while raw := file.readline(LONGEST_LINE):
                    yield raw.decode(errors="replace").rstrip("\r\n")
                if file.tell() > MOST_LOG:
                    os.truncate(self._log, 0)
                    file.seek(0)

    def command(self, *words: str) -> list[str]:
        """Return an ssh that uses this connection, never a new one: without configuration, it starts fast."""
        options = {"ControlPath": quote_config_path(self.control), "ControlMaster": "no", "ProxyCommand": "false"}
        return ["ssh", "-F", os.devnull, *option_words(options), *words]

    def run(self, given: Transfer) -> int | None:
        """Run LOGIN_COMMAND. While sshd opens no more sessions, wait for the others to end. Raises SSHError."""
        deadline, pauses, end = time.monotonic() + SESSION_SECONDS, iter(PAUSES), given.end
        # ssh appends to its log with each command.
        with contextlib.suppress(OSError):
            os.truncate(self._log, 0)
        while True:
            log = f"{self._log}{next(self._numbers)}"
            status = run_streamed(
                self.command("-E", log, "-T", HOST, framing.LOGIN_COMMAND),
                given.output.take,
                given.stop,
                stdin=given.stdin,
                end=(lambda _: end()) if end else None,
                timeout=given.timeout,
            )
            is_refused = status == SSH_FAILED and not given.output.started and read_log(log).find(REFUSED_SESSION)
            with contextlib.suppress(OSError):
                os.unlink(log)
            if not (is_refused and self.is_alive):
                return status
            if time.monotonic() > deadline:
                raise no_session(self._settings)
            time.sleep(next(pauses, PAUSES[-1]))

    def add(self, ports: Sequence[ForwardedPort]) -> bool:
        """Return False if ssh cannot listen on one of them; then none is added."""
        if self._request("forward", ports):
            return True
        if not os.path.lexists(self.control):
            # Without its socket, it can open no more.
            self.close()
        self.remove(ports)
        return False

    def remove(self, ports: Sequence[ForwardedPort]) -> None:
        self._request("cancel", ports)

    def _request(self, request: str, ports: Sequence[ForwardedPort]) -> bool:
        rules = [word for port in ports for word in ("-L", port.rule())]
        return multiplexing.control(self.control, HOST, request, *rules)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End ssh, and what it has started."""
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
            return
