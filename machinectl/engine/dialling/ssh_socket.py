"""Reach ssh:// engines through one kept SSH connection, which forwards a local socket to the engine's.

A request starts no program on the host and is no session for sshd: MaxSessions and MaxStartups do not count it.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.engine.dialling.deadline_socket import Wire
from machinectl.engine.dialling.ssh_dial import (
    NOT_FOUND,
    SSHWire,
    connect_ssh,
    explain_known,
    late_error,
    log_options,
    login_command,
)
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.errors import Hint, one_line
from machinectl.files.atomic import PRIVATE_FILE, take_lock
from machinectl.files.spool_directory import temporary_directory
from machinectl.files.user_directories import small_file
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.openssh import multiplexing
from machinectl.ssh.openssh.login_log import read_log
from machinectl.ssh.openssh.ssh_options import COMMANDS_ONLY, option_words
from machinectl.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.engine.endpoint import Endpoint
    from machinectl.url import EngineURL

# What `docker system dial-stdio` would connect to: DOCKER_HOST or the current context of the user there.
REMOTE_COMMAND = "docker context inspect --format '{{.Endpoints.docker.Host}}'"
DEFAULT_SOCKET = "/var/run/docker.sock"
# Paths that ssh -L takes without quotes.
PLAIN_PATH = re.compile(r"/[\w./@+,=-]+", re.ASCII)
# Files that decide which host is trusted, and who we are there.
NAMED_FILE = re.compile(r'(?:UserKnownHostsFile|IdentityFile)="?([^"]+)"?')
OPTIONS = {
    **COMMANDS_ONLY,
    "StdinNull": "no",
    "SessionType": "default",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
    "StreamLocalBindMask": "0177",
    "StreamLocalBindUnlink": "yes",
}
PING = b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
HTTP, END_OF_HEAD = b"HTTP/1.1 ", b"\r\n\r\n"
# Longest quote of a host's text, in characters.
LONGEST_SAID = 100
LONGEST_HEAD = 1 << 16
# Beside the socket of the background ssh: the lock, and the socket that leads to the engine.
LOCK, ENGINE = ".lock", ".engine"
# Seconds between attempts while another process logs in.
PAUSE = 0.02
# How long an engine may take to answer the ping, in seconds: ssh notices a lost host only after 45 s.
PATIENCE = 5.0


def connect_kept(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> Wire:
    """Connect through the kept connection if possible, else like docker. Raises EngineError."""
    try:
        kept = kept_connection(endpoint, url)
        sock = kept and kept.connect(deadline)
    except TimeoutError as exc:
        raise late_error(endpoint, deadline) from exc
    return Wire(sock, endpoint, deadline) if sock else connect_ssh(endpoint, url, deadline)


def engine_socket(endpoint: Endpoint, deadline: Deadline) -> str:
    """Return the path of a local socket that leads to the engine now, "" if sshd forbids that. Raises EngineError.

    It stays as long as it is used, and PERSIST_SECONDS longer.
    """
    url = parse_url(endpoint.url)
    path, kept = forwarded_path(endpoint, url, deadline), kept_connection(endpoint, url)
    if path or kept is None:
        return path
    # The engine answers now. It may have been off when sshd was found to forward nothing.
    try:
        kept.retire_without_forwarding(deadline)
    except TimeoutError as exc:
        raise late_error(endpoint, deadline) from exc
    return forwarded_path(endpoint, url, deadline)


def forwarded_path(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> str:
    """Return "" if the engine answers only without forwarding. Raises EngineError if it does not answer."""
    with connect_kept(endpoint, url, deadline) as wire:
        if not isinstance(wire, SSHWire):
            return str(wire.sock.getpeername())
        try:
            answered = answers(wire.sock, deadline.remaining())
        except TimeoutError as exc:
            raise wire.late() from exc
        if not answered:
            raise wire.silence()
        return ""


def kept_connection(endpoint: Endpoint, url: EngineURL) -> KeptConnection | None:
    """Return None if there is no private place for it, or if the user's ssh keeps its own."""
    named = [path for word in endpoint.ssh_options for path in NAMED_FILE.findall(word)]
    try:
        contents = [multiplexing.file_contents(path) for path in named]
    except OSError:
        return None
    # Without the paths: `create` moves the key into the store.
    words = [NAMED_FILE.sub("", word) for word in endpoint.ssh_options]
    identity = ["engine", str(url), words, contents]
    control = multiplexing.Multiplexing().named(identity, SSHEndpoint(url.host, url.user, url.port))
    return KeptConnection(endpoint, url, control) if PLAIN_PATH.fullmatch(control) else None


@dataclass(frozen=True)
class KeptConnection:
    endpoint: Endpoint
    url: EngineURL
    # The background ssh's socket.
    control: str

    @property
    def path(self) -> str:
        return f"{self.control}{ENGINE}"

    def connect(self, deadline: Deadline) -> socket.socket | None:
        """Return a connection on which the engine has answered, None if sshd does not forward to it.

        Nothing but a ping was sent, so that a request is never repeated. Raises EngineError or TimeoutError.
        """
        if sock := self.try_connection(deadline):
            return sock
        with locked(self.control, deadline):
            if sock := self.try_connection(deadline):
                return sock
            if self.lacks_forwarding() or not self.log_in(deadline):
                return None
            return self.try_connection(deadline, is_new=True)

    def try_connection(self, deadline: Deadline, *, is_new: bool = False) -> socket.socket | None:
        if (sock := open_socket(self.path, deadline.remaining())) is None:
            return None
        left = deadline.remaining()
        # Leave time to log in again, unless the engine itself is slow.
        patience = left if is_new else min(PATIENCE, left / 2) if left else PATIENCE
        with contextlib.ExitStack() as stack:
            stack.enter_context(sock)
            try:
                if answers(sock, patience):
                    stack.pop_all()
                    return sock
                # Do not try again for each request.
                self.remove_socket()
            except TimeoutError:
                if is_new:
                    raise
                self.retire()
        return None

    def lacks_forwarding(self) -> bool:
        """Return whether a recent login has found that out: it has left no socket."""
        try:
            since = os.stat(self.control).st_mtime
        except OSError:
            return False
        return time.time() < since + multiplexing.PERSIST_SECONDS and multiplexing.is_open(self.control)

    def retire_without_forwarding(self, deadline: Deadline) -> None:
        """Let the next request log in again. Raises TimeoutError."""
        with locked(self.control, deadline):
            if not os.path.lexists(self.path):
                self.retire()

    def log_in(self, deadline: Deadline) -> bool:
        """Return whether the socket exists now. Raises EngineError if the login failed."""
        self.retire()
        status, output, log = self.run_master(deadline.remaining())
        if not multiplexing.is_open(self.control):
            if error := explain_known(self.endpoint, log):
                raise error
            return False
        # An engine needs no docker command on its host.
        last = DEFAULT_SOCKET if status == NOT_FOUND else "".join(output.splitlines()[-1:])
        remote = last.removeprefix("unix://")
        if not PLAIN_PATH.fullmatch(remote):
            return False
        return multiplexing.control(self.control, self.url.host, "forward", "-L", f"{self.path}:{remote}")

    def run_master(self, timeout: float | None) -> tuple[int, str, str]:
        """Log in and stay in the background; return the remote command's status, its output and ssh's log."""
        options = option_words({**OPTIONS, **multiplexing.socket_options(self.control)})
        # A file, not a pipe: the background ssh keeps it open.
        with small_file() as output, temporary_directory() as directory:
            log = os.path.join(directory, "log")
            words = [*log_options(log), *self.endpoint.ssh_options, *options]
            try:
                # A session of its own: ^C and the terminal's end must not reach it later.
                done = subprocess.run(
                    login_command(self.url, words, timeout, REMOTE_COMMAND),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.DEVNULL,
                    timeout=timeout,
                    start_new_session=True,
                    check=False,
                )
            except subprocess.TimeoutExpired as exc:
                raise TimeoutError from exc
            except OSError:
                # connect_ssh says it.
                return NOT_FOUND, "", ""
            output.seek(0)
            return done.returncode, output.read(LONGEST_HEAD).decode(errors="replace"), read_log(log).text

    def retire(self) -> None:
        """Let it end with its last request: others may be in use."""
        if os.path.lexists(self.control):
            multiplexing.control(self.control, self.url.host, "stop")
        self.remove_socket()
        with contextlib.suppress(OSError):
            os.unlink(self.control)

    def remove_socket(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.path)


@contextlib.contextmanager
def locked(control: str, deadline: Deadline) -> Iterator[None]:
    """Let one process or thread log in. Raises TimeoutError."""
    descriptor = os.open(f"{control}{LOCK}", os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        while not take_lock(descriptor, without_locks=True):
            deadline.remaining()
            time.sleep(PAUSE)
        yield
    finally:
        os.close(descriptor)


def open_socket(path: str, timeout: float | None) -> socket.socket | None:
    """Return None if nobody listens there. Raises TimeoutError."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.socket(socket.AF_UNIX))
        try:
            # While the queue is full, connect waits with the kernel's timeout, and fails at once with Python's.
            limit_sending(sock, timeout or 0)
            sock.connect(path)
            limit_sending(sock, 0)
        except BlockingIOError as exc:
            raise TimeoutError from exc
        except OSError:
            return None
        stack.pop_all()
    return sock


def limit_sending(sock: socket.socket, seconds: float) -> None:
    """Zero is no limit."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6)))


def answers(sock: socket.socket, timeout: float | None) -> bool:
    """Return whether an engine answers a ping. Raises TimeoutError."""
    head = read_head(sock, timeout)
    return head.startswith(HTTP) and head.endswith(END_OF_HEAD) and b"\r\nConnection: close\r\n" not in head


def docker_error(endpoint: Endpoint, timeout: float) -> EngineError | None:
    """Return why docker's own ssh would not reach the engine: the login shell's start-up files run before it."""
    deadline = Deadline(timeout)
    try:
        with connect_ssh(endpoint, parse_url(endpoint.url), deadline) as wire:
            head = read_head(wire.sock, deadline.remaining())
            if head.startswith(HTTP):
                return None
            if not head:
                error = wire.silence()
                # An engine needs no docker command on its host.
                return None if wire.process.returncode == NOT_FOUND else error
    except TimeoutError:
        return late_error(endpoint, deadline)
    except EngineError as exc:
        return exc
    said = one_line(head.splitlines()[0].decode(errors="replace"), LONGEST_SAID)
    return EngineError(
        f"{endpoint.peer}: a start-up file of the login shell prints {said!r} before docker's answer",
        Hint("On the host, let ~/.bashrc and the like print at a terminal only", "[ -t 1 ] && echo …"),
    )


def read_head(sock: socket.socket, timeout: float | None) -> bytes:
    """Ping, and return what is answered up to the end of a head, b"" at an error. Raises TimeoutError."""
    deadline = Deadline(timeout)
    head = b""
    try:
        sock.sendall(PING)
        while not head.endswith(END_OF_HEAD) and len(head) < LONGEST_HEAD:
            sock.settimeout(deadline.remaining())
            piece = sock.recv(LONGEST_HEAD)
            if not piece:
                break
            head += piece
    except TimeoutError:
        raise
    except OSError:
        return b""
    return head
