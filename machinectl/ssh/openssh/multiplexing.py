"""SSH connections that the system's ssh keeps open for the next command (ControlMaster, ControlPersist).

The name of a connection's socket is a digest of all that decides who is at its ends. If any of that changes, the socket
is no longer found, and its connection ends after a minute without use. Must not import paramiko.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import subprocess
import tempfile
from typing import TYPE_CHECKING

from machinectl.files.atomic import read_file
from machinectl.files.ownership import exposed_above
from machinectl.process_streams import run_streamed
from machinectl.ssh.openssh.ssh_options import option_words, quote_config_path
from machinectl.ssh.openssh.user_config import USERS_OWN
from machinectl.ssh.ssh_command import ssh_command
from machinectl.ssh.ssh_settings import QUERY_TIMEOUT, openssh_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.ssh.destination import SSHEndpoint

# How long a connection waits for the next command. Seconds.
PERSIST_SECONDS = 60
# macOS has the shortest socket paths, 103 bytes (sun_path without its NUL), and ssh appends a dot and 16 letters while
# it makes a socket.
LONGEST_PATH = 103 - 17
DIGEST_LETTERS = 24
# How long the ssh in the background may take to end; it is on this computer. Seconds.
EXIT_SECONDS = 2.0
# How much ssh may say about a configuration, in bytes.
MOST_SAID = 1 << 20


class Multiplexing:
    """The connections that one command may use and keep, each by the path of its socket.

    There is none if nothing is to be kept, or if there is no place for sockets that is private and short.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._directory = socket_directory() if enabled else ""
        self._config = [file_contents(os.path.expanduser(own)) for own in USERS_OWN] if self._directory else []

    def path(self, owner: str, endpoint: SSHEndpoint, known_hosts: str) -> str:
        """Return the path of the socket for a machine's connection, "" if it has none, or the user's ssh has its own.

        `owner` is the machine's directory, `known_hosts` the path of its file.
        """
        if not self._directory:
            return ""
        try:
            parts = [owner, *self._config, *connection_identity(endpoint, known_hosts)]
        except OSError:
            return ""
        digest = hashlib.sha256(repr(parts).encode(errors="surrogateescape")).hexdigest()
        path = os.path.join(self._directory, digest[:DIGEST_LETTERS])
        # Asking the user's ssh takes time; it had no socket of its own when ours was made.
        return path if os.path.lexists(path) or not has_own(endpoint) else ""


def has_own(endpoint: SSHEndpoint) -> bool:
    """Return whether the user's ssh configuration names a socket for a host; True if ssh does not say."""
    said = bytearray()

    def hear(data: bytes, on_stderr: bool) -> bool:
        if not on_stderr:
            said.extend(data)
        return len(said) > MOST_SAID

    try:
        status = run_streamed(openssh_query(endpoint), hear, timeout=QUERY_TIMEOUT)
    except OSError:
        return True
    return status != 0 or any(line.lower().startswith(b"controlpath ") for line in said.splitlines())


def connection_identity(endpoint: SSHEndpoint, known_hosts: str) -> Iterator[object]:
    """Yield what decides where an endpoint leads, who is accepted there, and who we are; jump hosts included."""
    yield (
        endpoint.host,
        endpoint.user,
        endpoint.port,
        file_contents(known_hosts),
        endpoint.key,
        file_contents(endpoint.key),
    )
    if endpoint.jump:
        yield endpoint.jump.machine
        yield from connection_identity(endpoint.jump.endpoint, endpoint.jump.known_hosts)


def file_contents(path: str) -> bytes | None:
    """Return what is in a file, None if there is none. Raises OSError."""
    try:
        return read_file(path) if path else None
    except FileNotFoundError:
        return None


def socket_directory() -> str:
    """Return the directory of the sockets, made if it is missing; "" if there is no place that is private and short."""
    if not hasattr(os, "geteuid"):
        return ""
    user = os.geteuid()
    places = [os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp"]  # noqa: S108 - judged below
    with contextlib.suppress(OSError):
        # There is none if all are full or read-only.
        places.insert(1, tempfile.gettempdir())
    for place in filter(os.path.isabs, places):
        path = os.path.join(place, f"machinectl-{user}")
        # ssh ends ControlPath at a line's end, and replaces ${NAME}: its socket would be in another directory.
        is_literal = path.isprintable() and "$" not in path
        if is_literal and len(os.fsencode(path)) + 1 + DIGEST_LETTERS <= LONGEST_PATH and is_private(path, user):
            return path
    return ""


def is_private(path: str, user: int) -> bool:
    """Return whether a directory, made if it is missing, belongs only to the user, and nobody else can replace it."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        found = os.lstat(path)
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == user and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
        # su leaves root the other user's XDG_RUNTIME_DIR, who could put a directory of theirs there once it is judged.
        return mine and exposed_above(path, root_anywhere=False) is None
    except OSError:
        return False


def socket_options(path: str, *, master: bool = True) -> dict[str, str]:
    """Return ssh's options for a socket; with `master`, a connection is made and kept if there is none."""
    if not path:
        # One that the user's ssh keeps is used. A new one would stay.
        return {"ControlMaster": "no"}
    made = {"ControlMaster": "auto", "ControlPersist": str(PERSIST_SECONDS)} if master else {"ControlMaster": "no"}
    return {**made, "ControlPath": quote_config_path(path)}


def is_open(path: str) -> bool:
    """Return whether an ssh in the background listens at a socket."""
    if not path:
        return False
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError:
            return False
    return True


def close_connection(path: str, host: str) -> None:
    """End the connection of a socket."""
    words = option_words({"ControlPath": quote_config_path(path)})
    command = ssh_command(host, ["-F", os.devnull, *words, "-O", "exit"])
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=EXIT_SECONDS,
            check=False,
        )
    with contextlib.suppress(OSError):
        os.unlink(path)
