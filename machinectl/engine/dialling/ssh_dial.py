"""Connect through ssh:// URLs like docker: ssh runs `docker system dial-stdio`."""

from __future__ import annotations

import math
import os
import re
import socket
import subprocess
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.engine.dialling.deadline_socket import Wire
from machinectl.engine.endpoint import EngineError, ForeignKey
from machinectl.errors import Hint, one_line
from machinectl.files.spool_directory import temporary_directory
from machinectl.files.user_directories import small_file
from machinectl.ssh.destination import ssh_command
from machinectl.ssh.openssh.login_log import read_log
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.engine.endpoint import Deadline, Endpoint
    from machinectl.url import EngineURL

    # What is in an error, the engine's state, and what to do.
    Saying = tuple[str, State, Callable[[Endpoint, str], Hint]]

REMOTE_COMMAND = "docker system dial-stdio"
# Seconds to wait for ssh to exit; normally milliseconds.
PATIENCE = 1.0
# Bytes to read from the end of ssh's stderr.
LONGEST_ERRORS = 1 << 16
# POSIX sh: command not found.
NOT_FOUND = 127
# ssh's report of a changed key: the known_hosts file, and the host's name.
CHANGED_FILE = re.compile(r"^Offending .*key in (.+):\d+\s*$", re.MULTILINE)
CHANGED_NAME = re.compile(r"ost key for (\S+) has changed")
START = Hint("Start the engine on the host", "sudo systemctl start docker")
# ssh's exit status for a failure of its own, and its name for a host behind a ProxyCommand (packet.c).
SSH_FAILED, BEHIND_PROXY = 255, "UNKNOWN port 65535"


class SSHWire(Wire):
    """A connection through an ssh process; its log, and what docker says there, explain failures."""

    def __init__(
        self,
        sock: socket.socket,
        endpoint: Endpoint,
        deadline: Deadline,
        process: subprocess.Popen[bytes],
        errors: IO[bytes],
        log: str,
    ) -> None:
        super().__init__(sock, endpoint, deadline)
        self.process = process
        self.errors = errors
        self.log = log
        self.files = ExitStack()

    def late(self) -> EngineError:
        return late_error(self.endpoint, self.deadline)

    def silence(self) -> EngineError:
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = None
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - LONGEST_ERRORS))
        said = self.errors.read(LONGEST_ERRORS).decode(errors="replace")
        return explain_errors(self.endpoint, status, said, read_log(self.log).text)

    def close(self) -> None:
        super().close()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.files.close()


def connect_ssh(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> SSHWire:
    with ExitStack() as files:
        log = os.path.join(files.enter_context(temporary_directory()), "log")
        errors = files.enter_context(small_file())
        here, there = socket.socketpair()
        files.enter_context(here)
        try:
            with there:
                process = subprocess.Popen(
                    login_command(
                        url, [*log_options(log), *endpoint.ssh_options], deadline.remaining(), REMOTE_COMMAND
                    ),
                    stdin=there.fileno(),
                    stdout=there.fileno(),
                    stderr=errors,
                )
        except TimeoutError as exc:
            raise EngineError(f"{endpoint.peer} was not asked within {deadline}", state=State.TIMEOUT) from exc
        except OSError as exc:
            raise EngineError(f"Cannot run ssh: {exc.strerror}", Hint("Install the OpenSSH client")) from exc
        wire = SSHWire(here, endpoint, deadline, process, errors, log)
        wire.files = files.pop_all()
    return wire


def log_options(path: str) -> list[str]:
    return ["-E", path, "-o", "LogLevel=INFO"]


def login_command(url: EngineURL, options: Sequence[str], timeout: float | None, remote: str) -> list[str]:
    """Return docker's ssh command, without prompts: ssh shares the terminal."""
    limit = ["-o", f"ConnectTimeout={math.ceil(timeout)}"] if timeout else []
    words = ["-o", "BatchMode=yes", *options, *limit, "-T"]
    return ssh_command(url.host, words, user=url.user, port=url.port, arguments=[remote])


def explain_errors(endpoint: Endpoint, status: int | None, said: str, log: str) -> EngineError:
    """`said` is what docker says there; `log` is ssh's own, to which a host's banner cannot write."""
    # A jump host's ssh has no log of its own.
    is_docker = status != SSH_FAILED or BEHIND_PROXY in log
    if error := explain_known(endpoint, log) or (is_docker and explain_known(endpoint, said, BY_DOCKER)):
        return error
    if BEHIND_PROXY in log and (error := explain_known(endpoint, said)):
        return error
    last = last_line(said if is_docker else log) or last_line(log) or f"ssh ended with status {status}"
    if status == NOT_FOUND:
        hint = Hint("Set the host up", endpoint.setup) if endpoint.setup else Hint("Install the docker CLI on the host")
        return EngineError(f"{endpoint.peer}: there is no docker command ({last})", hint)
    return EngineError(f"{endpoint.peer}: {last}", by_hand(endpoint))


def explain_known(endpoint: Endpoint, text: str, sayings: Sequence[Saying] | None = None) -> EngineError | None:
    """Return None for an error that `sayings` (by default ssh's) lacks."""
    lower = text.lower()
    for mark, state, hint in sayings or BY_SSH:
        if mark in lower:
            kind = ForeignKey if mark in KEY_REFUSED else EngineError
            return kind(f"{endpoint.peer}: {last_line(text)}", hint(endpoint, text), state)
    return None


def last_line(errors: str) -> str:
    lines = [line for line in errors.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else ""


def late_error(endpoint: Endpoint, deadline: Deadline) -> EngineError:
    return EngineError(
        f"{endpoint.peer}: no engine has answered through ssh within {deadline}",
        by_hand(endpoint),
        State.TIMEOUT,
    )


def by_hand(endpoint: Endpoint) -> Hint:
    """Name the command that says what is wrong: dial-stdio itself prints nothing on a good host either."""
    return Hint("Try it by hand", f"{ssh_by_hand(endpoint)} docker version")


def joining(endpoint: Endpoint, _: str) -> Hint:
    """Return how the SSH user may use the engine."""
    if endpoint.setup:
        return Hint("Let the SSH user use it", endpoint.setup)
    user = engine_url.parse_url(endpoint.url).user
    return Hint(
        f"Let {user or 'the user'} use it, on the host", f"sudo usermod -aG docker {user or '$USER'}", elsewhere=True
    ) | Hint(
        "If there is no group docker, first",
        "sudo groupadd docker; sudo chgrp docker /var/run/docker.sock",
        elsewhere=True,
    )


def ssh_by_hand(endpoint: Endpoint) -> str:
    """Return the login command; behind a jump host, only machinectl ssh works."""
    if any(option.startswith("ProxyCommand=") for option in endpoint.ssh_options):
        return f"machinectl ssh {endpoint.name}"
    return f"ssh {ssh_target(endpoint)}"


def acceptance(endpoint: Endpoint, log: str) -> Hint:
    if any(option.startswith("HostKeyAlias=") for option in endpoint.ssh_options):
        return Hint("See the new key, and how to accept it", "machinectl ssh", endpoint.name)
    name, file = CHANGED_NAME.search(log), CHANGED_FILE.search(log)
    host = name[1] if name else engine_url.parse_url(endpoint.url).host
    forget = Hint("If the host was reinstalled", "ssh-keygen", *(["-f", file[1]] if file else []), "-R", host)
    return forget | Hint("Then", ssh_by_hand(endpoint))


def start_sshd(endpoint: Endpoint, _: str) -> Hint:
    setter = endpoint.port_setter
    return Hint("Start sshd on the host") | (
        Hint("Or set its port", setter) if setter else Hint("Or set its port in the URL")
    )


def ssh_target(endpoint: Endpoint) -> str:
    """Return the host as ssh arguments."""
    url = engine_url.parse_url(endpoint.url)
    return (f"-p {url.port} " if url.port else "") + (f"{url.user}@" if url.user else "") + url.host


def always(hint: Hint) -> Callable[[Endpoint, str], Hint]:
    return lambda _endpoint, _text: hint


KEY_REFUSED = ("host identification has changed", "host key verification failed")
# Errors of OpenSSH and of the remote docker CLI. The first match is the root cause.
BY_SSH: Sequence[Saying] = (
    (KEY_REFUSED[0], State.ERROR, acceptance),
    (KEY_REFUSED[1], State.ERROR, lambda endpoint, _: Hint("Accept its key once", ssh_by_hand(endpoint))),
    (
        "permission denied (",
        State.ERROR,
        lambda endpoint, _: (
            Hint("Load a key that it knows", "ssh-add") | Hint("Or send it one", f"ssh-copy-id {ssh_target(endpoint)}")
        ),
    ),
    ("connection refused", State.STOPPED, start_sshd),
    ("timed out", State.TIMEOUT, always(Hint("Check that the host is up and that its firewall lets ssh through"))),
)
BY_DOCKER: Sequence[Saying] = (
    ("connect: permission denied", State.ERROR, joining),
    ("connect: no such file", State.ERROR, always(START)),
    ("connect: connection refused", State.STOPPED, always(START)),
)
