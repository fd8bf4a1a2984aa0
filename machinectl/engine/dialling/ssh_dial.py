"""Connect through ssh:// URLs like docker: ssh runs `docker system dial-stdio`."""

from __future__ import annotations

import math
import os
import re
import shlex
import socket
import subprocess
from typing import IO, TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.engine.dialling.deadline_socket import Wire
from machinectl.engine.endpoint import EngineError, ForeignKey
from machinectl.errors import one_line
from machinectl.files.temporary_files import small_file
from machinectl.ssh.destination import ssh_command
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.engine.endpoint import Deadline, Endpoint
    from machinectl.url import EngineURL

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
START = "Start the engine on the host: sudo systemctl start docker"


class SSHWire(Wire):
    """A connection through an ssh process; its stderr explains failures."""

    def __init__(
        self,
        sock: socket.socket,
        endpoint: Endpoint,
        deadline: Deadline,
        process: subprocess.Popen[bytes],
        errors: IO[bytes],
    ) -> None:
        super().__init__(sock, endpoint, deadline)
        self.process = process
        self.errors = errors

    def late(self) -> EngineError:
        return late_error(self.endpoint, self.deadline)

    def silence(self) -> EngineError:
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = None
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - LONGEST_ERRORS))
        return explain_errors(self.endpoint, status, self.errors.read(LONGEST_ERRORS).decode(errors="replace"))

    def close(self) -> None:
        super().close()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


def connect_ssh(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> SSHWire:
    here, there = socket.socketpair()
    errors = small_file()
    try:
        with there:
            process = subprocess.Popen(
                dial_command(url, endpoint.ssh_options, deadline.remaining()),
                stdin=there.fileno(),
                stdout=there.fileno(),
                stderr=errors,
            )
    except OSError as exc:
        here.close()
        errors.close()
        if isinstance(exc, TimeoutError):
            raise EngineError(f"{endpoint.peer} was not asked within {deadline}", state=State.TIMEOUT) from exc
        raise EngineError(f"Cannot run ssh: {exc.strerror}", "Install the OpenSSH client") from exc
    return SSHWire(here, endpoint, deadline, process, errors)


def dial_command(url: EngineURL, options: Sequence[str], timeout: float | None) -> list[str]:
    return login_command(url, options, timeout, REMOTE_COMMAND)


def login_command(url: EngineURL, options: Sequence[str], timeout: float | None, remote: str) -> list[str]:
    """Return docker's ssh command, without prompts: ssh shares the terminal."""
    limit = ["-o", f"ConnectTimeout={math.ceil(timeout)}"] if timeout else []
    words = ["-o", "BatchMode=yes", *options, *limit, "-T"]
    return ssh_command(url.host, words, user=url.user, port=url.port, arguments=[remote])


def explain_errors(endpoint: Endpoint, status: int | None, errors: str) -> EngineError:
    if error := explain_known(endpoint, errors):
        return error
    said = last_line(errors) or f"ssh ended with status {status}"
    if status == NOT_FOUND:
        hint = f"Set the host up: {endpoint.setup}" if endpoint.setup else "Install the docker CLI on the host"
        return EngineError(f"{endpoint.peer}: there is no docker command ({said})", hint)
    return EngineError(f"{endpoint.peer}: {said}", by_hand(endpoint))


def explain_known(endpoint: Endpoint, errors: str) -> EngineError | None:
    """Return None for an error that SAYINGS lacks."""
    text = errors.lower()
    for mark, state, hint in SAYINGS:
        if mark in text:
            advice = hint.format(
                target=ssh_target(endpoint),
                ssh=ssh_by_hand(endpoint),
                accept=acceptance(endpoint, errors),
                join=joining(endpoint),
                port=f"set its port: {endpoint.port_setter}" if endpoint.port_setter else "set its port in the URL",
            )
            kind = ForeignKey if mark in KEY_REFUSED else EngineError
            return kind(f"{endpoint.peer}: {last_line(errors)}", advice, state)
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


def by_hand(endpoint: Endpoint) -> str:
    """Name the command that says what is wrong: dial-stdio itself prints nothing on a good host either."""
    return f"Try it by hand: {ssh_by_hand(endpoint)} docker version"


def joining(endpoint: Endpoint) -> str:
    """Return how the SSH user may use the engine."""
    if endpoint.setup:
        return f"Let the SSH user use it: {endpoint.setup}"
    user = engine_url.parse_url(endpoint.url).user
    return (
        f"Let {user or 'the user'} use it, on the host: sudo usermod -aG docker {user or '$USER'}\n"
        "If there is no group docker, first: sudo groupadd docker; sudo chgrp docker /var/run/docker.sock"
    )


def ssh_by_hand(endpoint: Endpoint) -> str:
    """Return the login command; behind a jump host, only machinectl ssh works."""
    if any(option.startswith("ProxyCommand=") for option in endpoint.ssh_options):
        return f"machinectl ssh {endpoint.name}"
    return f"ssh {ssh_target(endpoint)}"


def acceptance(endpoint: Endpoint, errors: str) -> str:
    if any(option.startswith("HostKeyAlias=") for option in endpoint.ssh_options):
        return f"See the new key, and how to accept it: machinectl ssh {endpoint.name}"
    name, file = CHANGED_NAME.search(errors), CHANGED_FILE.search(errors)
    where = ["-f", file[1]] if file else []
    forget = shlex.join(["ssh-keygen", *where, "-R", name[1] if name else engine_url.parse_url(endpoint.url).host])
    return f"If the host was reinstalled: {forget}, then {ssh_by_hand(endpoint)}"


def ssh_target(endpoint: Endpoint) -> str:
    """Return the host as ssh arguments."""
    url = engine_url.parse_url(endpoint.url)
    return (f"-p {url.port} " if url.port else "") + (f"{url.user}@" if url.user else "") + url.host


KEY_REFUSED = ("host identification has changed", "host key verification failed")
# Errors of OpenSSH or the remote docker CLI. The first match is the root cause.
SAYINGS = (
    (KEY_REFUSED[0], State.ERROR, "{accept}"),
    (KEY_REFUSED[1], State.ERROR, "Accept its key once: {ssh}"),
    ("connect: permission denied", State.ERROR, "{join}"),
    ("connect: no such file", State.ERROR, START),
    ("connect: connection refused", State.STOPPED, START),
    ("permission denied (", State.ERROR, "Load a key that it knows (ssh-add), or send it one: ssh-copy-id {target}"),
    ("could not resolve hostname", State.ERROR, "Check the name's spelling"),
    ("connection refused", State.STOPPED, "Start sshd on the host, or {port}"),
    ("timed out", State.TIMEOUT, "Check that the host is up and that its firewall lets ssh through"),
    ("no route to host", State.ERROR, "Check this computer's network and the address"),
    ("network is unreachable", State.ERROR, "Check this computer's network and the address"),
)
