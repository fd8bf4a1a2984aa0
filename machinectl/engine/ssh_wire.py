"""Reach ssh:// engines like docker: ssh runs `docker system dial-stdio`, over one kept connection (ControlPersist).

If sshd refuses a session more (MaxSessions), ssh itself opens a connection for it.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.engine.endpoint import Deadline, EngineError, ForeignKey
from machinectl.engine.wire import Wire
from machinectl.errors import Hint, one_line
from machinectl.files.spool_directory import temporary_directory
from machinectl.ssh.destination import SSHEndpoint, ssh_command
from machinectl.ssh.openssh import multiplexing
from machinectl.ssh.openssh.login_log import read_logs
from machinectl.ssh.openssh.ssh_options import COMMANDS_ONLY, JUMP_LOG, option_words
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.engine.endpoint import Endpoint
    from machinectl.ssh.openssh.login_log import LoginLog
    from machinectl.url import EngineURL

REMOTE_COMMAND = "docker system dial-stdio"
OPTIONS = {
    **COMMANDS_ONLY,
    "StdinNull": "no",
    "SessionType": "default",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
}
PING = b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
HTTP, END_OF_HEAD = b"HTTP/1.", b"\r\n\r\n"
# Longest quote of a host's text, in characters, and bytes of an answer's head, or of ssh's stderr.
LONGEST_SAID, LONGEST_HEAD = 100, 1 << 16
# Seconds for an answer over a connection that was kept: ssh notices a lost host only after 45 s.
PATIENCE = 5.0
# Seconds to wait for ssh to exit; normally milliseconds.
EXIT_SECONDS = 1.0
# POSIX sh: command not found. ssh's exit status for a failure of its own.
NOT_FOUND, SSH_FAILED = 127, 255
# How the option of a jump host begins, and ssh's name for what is behind it (packet.c): its own log says more.
OUR_JUMP, BEHIND_PROXY = "ProxyCommand=ssh", "UNKNOWN port 65535"
START = Hint("Start the engine on the host", "sudo systemctl start docker")


class SSHWire(Wire):
    """A connection through an ssh process; its log, and what docker says there, explain failures."""

    def __init__(
        self, sock: socket.socket, endpoint: Endpoint, deadline: Deadline, process: subprocess.Popen[bytes]
    ) -> None:
        super().__init__(sock, endpoint, deadline)
        self.process = process
        self.files = ExitStack()
        self.errors: IO[bytes]
        self.log = ""
        # Whether the engine answers more than one request.
        self.lasts = True

    def late(self) -> EngineError:
        cause = f"{self.endpoint.peer}: no engine has answered through ssh within {self.deadline}"
        return EngineError(cause, by_hand(self.endpoint), State.TIMEOUT)

    def silence(self) -> EngineError:
        try:
            status = self.process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - LONGEST_HEAD))
        said = self.errors.read(LONGEST_HEAD).decode(errors="replace")
        return explain_errors(self.endpoint, status, said, read_logs(self.log, JUMP_LOG))

    def close(self) -> None:
        super().close()
        end_ssh(self.process)
        self.files.close()


def connect_ssh(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> SSHWire:
    """Return a connection on which the engine has answered a ping: nothing else is sent twice. Raises EngineError."""
    control, words = kept_connection(endpoint, url)
    if multiplexing.is_open(control):
        with suppress(EngineError):
            # Leave time to log in again.
            patience = min(PATIENCE, deadline.left(time.monotonic()) / 2)
            return pinged(start_ssh(endpoint, url, deadline, words), patience)
        # The line may be dead, or the user a member of another group since.
        multiplexing.close_connection(control, url.host)
    wire = pinged(start_ssh(endpoint, url, deadline, words), deadline.remaining())
    return wire if wire.lasts else start_ssh(endpoint, url, deadline, words)


def pinged(wire: SSHWire, patience: float | None) -> SSHWire:
    """Raise EngineError if no engine answers within `patience` seconds."""
    with ExitStack() as stack:
        stack.callback(wire.close)
        try:
            head = read_head(wire.sock, patience)
        except TimeoutError as exc:
            raise wire.late() from exc
        if not head:
            raise wire.silence()
        if not head.startswith(HTTP):
            said = one_line(head.splitlines()[0].decode(errors="replace"), LONGEST_SAID)
            raise EngineError(
                f"{wire.endpoint.peer}: a start-up file of the login shell prints {said!r} before docker's answer",
                Hint("On the host, let ~/.bashrc and the like print at a terminal only", "[ -t 1 ] && echo …"),
            )
        wire.lasts = b"\r\nConnection: close\r\n" not in head
        stack.pop_all()
    return wire


def kept_connection(endpoint: Endpoint, url: EngineURL) -> tuple[str, list[str]]:
    """Return its socket, "" if none is to be kept, and ssh's options."""
    own = endpoint.ssh_options
    control = multiplexing.Multiplexing().path(SSHEndpoint(url.host, url.user, url.port), own)
    return control, [*own, *option_words({**OPTIONS, **multiplexing.socket_options(control)})]


def start_ssh(endpoint: Endpoint, url: EngineURL, deadline: Deadline, options: Sequence[str]) -> SSHWire:
    with ExitStack() as files:
        directory = files.enter_context(temporary_directory())
        log = os.path.join(directory, "log")
        errors = files.enter_context(TemporaryFile(dir=directory))
        here, there = socket.socketpair()
        files.enter_context(here)
        try:
            with there:
                # ssh throws away what a jump host's ssh says, if it keeps the connection.
                jumping = f"{OUR_JUMP} -E {shlex.quote(log + JUMP_LOG)}"
                words = ["-E", log, "-o", "LogLevel=INFO", *(word.replace(OUR_JUMP, jumping, 1) for word in options)]
                command = login_command(url, words, deadline.remaining())
                process = subprocess.Popen(command, stdin=there.fileno(), stdout=there.fileno(), stderr=errors)
        except TimeoutError as exc:
            raise EngineError(f"{endpoint.peer} was not asked within {deadline}", state=State.TIMEOUT) from exc
        except OSError as exc:
            raise EngineError(f"Cannot run ssh: {exc.strerror}", Hint("Install the OpenSSH client")) from exc
        wire = SSHWire(here, endpoint, deadline, process)
        wire.errors, wire.log, wire.files = errors, log, files.pop_all()
    return wire


def login_command(url: EngineURL, options: Sequence[str], timeout: float | None) -> list[str]:
    """Return docker's ssh command, without prompts: ssh shares the terminal."""
    limit = ["-o", f"ConnectTimeout={math.ceil(timeout)}"] if timeout else []
    words = ["-o", "BatchMode=yes", *options, *limit, "-T"]
    return ssh_command(url.host, words, user=url.user, port=url.port, arguments=[REMOTE_COMMAND])


def end_ssh(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def local_socket(endpoint: Endpoint) -> Iterator[str]:
    """Open a socket for docker's own CLI, which does not know the machine's keys; each connection is an ssh."""
    url = engine_url.parse_url(endpoint.url)
    _, words = kept_connection(endpoint, url)
    processes: list[subprocess.Popen[bytes]] = []

    def serve(listener: socket.socket) -> None:
        # Shutting the listener down ends this.
        with suppress(OSError):
            while True:
                with listener.accept()[0] as client:
                    processes.append(
                        subprocess.Popen(login_command(url, words, None), stdin=client.fileno(), stdout=client.fileno())
                    )

    with temporary_directory() as directory, socket.socket(socket.AF_UNIX) as listener:
        path = os.path.join(directory, "docker.sock")
        listener.bind(path)
        listener.listen()
        serving = threading.Thread(target=serve, args=[listener], daemon=True)
        serving.start()
        try:
            yield path
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            serving.join()
            for process in processes:
                end_ssh(process)


def docker_error(endpoint: Endpoint, timeout: float) -> EngineError | None:
    """Return why docker's own ssh would not reach the engine: the login shell's start-up files run before it."""
    deadline = Deadline(timeout)
    try:
        pinged(start_ssh(endpoint, engine_url.parse_url(endpoint.url), deadline, endpoint.ssh_options), timeout).close()
    except EngineError as exc:
        return exc
    return None


def read_head(sock: socket.socket, timeout: float | None) -> bytes:
    """Ping, and return what is answered, at most to the end of a head. Raises TimeoutError."""
    deadline = Deadline(timeout)
    head = b""
    with suppress(BrokenPipeError):
        sock.sendall(PING)
    with suppress(ConnectionResetError):
        while not head.endswith(END_OF_HEAD) and len(head) < LONGEST_HEAD:
            sock.settimeout(deadline.remaining())
            piece = sock.recv(LONGEST_HEAD)
            if not piece:
                break
            head += piece
    return head


def explain_errors(endpoint: Endpoint, status: int | None, said: str, log: LoginLog) -> EngineError:
    """`said` is what docker says there; `log` is ssh's own, to which a host's banner cannot write."""
    if log.is_key_changed or "Host key verification failed" in log.text:
        return ForeignKey(f"{endpoint.peer}: {last_line(log.text)}", acceptance(endpoint, log))
    is_docker = status != SSH_FAILED
    told = said if is_docker else log.text
    last = last_line(told) or last_line(log.text) or f"ssh ended with status {status}"
    state, hint = State.ERROR, by_hand(endpoint)
    if log.is_denied:
        last = last_line(log.text)
        copy = Hint("Or send it one", f"ssh-copy-id {ssh_target(endpoint)}")
        hint = Hint("Load a key that it knows", "ssh-add") | copy
    elif is_docker and "connect: permission denied" in told:
        user = engine_url.parse_url(endpoint.url).user or "$USER"
        hint = Hint("Let the user use it, on the host", f"sudo usermod -aG docker {user}", elsewhere=True)
        hint = Hint("Let the SSH user use it", endpoint.setup) if endpoint.setup else hint
    elif is_docker and re.search("connect: (no such file|connection refused)", told):
        state, hint = State.STOPPED if "refused" in told else State.ERROR, START
    elif status == NOT_FOUND:
        last = f"there is no docker command ({last})"
        hint = Hint("Set the host up", endpoint.setup) if endpoint.setup else Hint("Install the docker CLI on the host")
    elif "Connection refused" in told:
        state, hint = State.STOPPED, Hint("Start sshd on the host, or set its port")
    elif "timed out" in told:
        state, hint = State.TIMEOUT, Hint("Check that the host is up and that its firewall lets ssh through")
    return EngineError(f"{endpoint.peer}: {last}", hint, state)


def last_line(errors: str) -> str:
    lines = [line for line in errors.splitlines() if line.strip() and BEHIND_PROXY not in line]
    return one_line(lines[-1]) if lines else ""


def by_hand(endpoint: Endpoint) -> Hint:
    """Name the command that says what is wrong: dial-stdio itself prints nothing on a good host either."""
    return Hint("Try it by hand", f"{ssh_by_hand(endpoint)} docker version")


def ssh_by_hand(endpoint: Endpoint) -> str:
    """Return the login command; behind a jump host, only machinectl ssh works."""
    if any(option.startswith("ProxyCommand=") for option in endpoint.ssh_options):
        return f"machinectl ssh {endpoint.name}"
    return f"ssh {ssh_target(endpoint)}"


def acceptance(endpoint: Endpoint, log: LoginLog) -> Hint:
    if not log.is_key_changed:
        return Hint("Accept its key once", ssh_by_hand(endpoint))
    if any(option.startswith("HostKeyAlias=") for option in endpoint.ssh_options):
        return Hint("See the new key, and how to accept it", "machinectl ssh", endpoint.name)
    url = engine_url.parse_url(endpoint.url)
    forget = Hint("If the host was reinstalled", "ssh-keygen -R", f"[{url.host}]:{url.port}" if url.port else url.host)
    return forget | Hint("Then", ssh_by_hand(endpoint))


def ssh_target(endpoint: Endpoint) -> str:
    """Return the host as ssh arguments."""
    url = engine_url.parse_url(endpoint.url)
    return (f"-p {url.port} " if url.port else "") + (f"{url.user}@" if url.user else "") + url.host
