"""Keep the system's ssh connections for the next command (ControlMaster, ControlPersist).

A digest of both ends' identity names the socket: after a change, the old socket is unused. Must not import paramiko.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
from typing import TYPE_CHECKING

from machinectl.files.atomic import read_file
from machinectl.files.user_directories import DIGEST_LETTERS, socket_directory
from machinectl.process_streams import find_program, query_program
from machinectl.ssh.destination import ssh_command
from machinectl.ssh.openssh.config_block import USERS_OWN
from machinectl.ssh.openssh.ssh_options import option_words, quote_config_path
from machinectl.ssh.ssh_errors import SSHError
from machinectl.ssh.ssh_settings import cached_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.ssh.destination import SSHEndpoint

# The variable that turns it off, and how: kept apart from cli's, because engines are asked below that floor.
PERSIST = "MACHINECTL_PERSIST"
OFF = {"off", "no", "false", "f", "0"}
# Files that decide which host is trusted, and who we are there.
NAMED_FILE = re.compile(r'(?:UserKnownHostsFile|IdentityFile)="?([^"]+)"?')
# How long a connection waits for the next command, in seconds.
PERSIST_SECONDS = 60
# How long the local background ssh may take to end, in seconds.
EXIT_SECONDS = 2.0


class Multiplexing:
    """Needs a private directory with a short path, else keeps nothing."""

    def __init__(self, *, enabled: bool = True) -> None:
        is_wanted = enabled and os.environ.get(PERSIST, "").lower() not in OFF
        self._directory = socket_directory() if is_wanted else ""
        self._config = [file_contents(os.path.expanduser(own)) for own in USERS_OWN] if self._directory else []

    def path(self, endpoint: SSHEndpoint, words: Sequence[str]) -> str:
        """Return "" without a socket, or if the user's ssh has its own. `words` are ssh's options.

        Files in them count by what they hold: `create` moves the key into the store.
        """
        if not self._directory:
            return ""
        try:
            contents = [file_contents(path) for word in words for path in NAMED_FILE.findall(word)]
        except OSError:
            return ""
        options = [NAMED_FILE.sub("", word) for word in words]
        identity = [*self._config, endpoint.host, endpoint.user, endpoint.port, options, contents]
        digest = hashlib.sha256(repr(identity).encode(errors="surrogateescape")).hexdigest()
        path = os.path.join(self._directory, digest[:DIGEST_LETTERS])
        # Skip the slow query if our socket exists: the user's ssh had none of its own when we created ours.
        return path if os.path.lexists(path) or not has_own(endpoint) else ""


def has_own(endpoint: SSHEndpoint) -> bool:
    """Return whether the user sets a ControlPath; True if ssh fails."""
    program = find_program("ssh")
    try:
        return not program or "controlpath" in cached_options(program, endpoint)
    except SSHError:
        return True


def file_contents(path: str) -> bytes | None:
    """Return None if missing. Raises OSError."""
    try:
        return read_file(path) if path else None
    except FileNotFoundError:
        return None


def socket_options(path: str) -> dict[str, str]:
    if not path:
        # Use a connection that the user's ssh keeps, but create none: it would stay open.
        return {"ControlMaster": "no"}
    kept = {"ControlMaster": "auto", "ControlPersist": str(PERSIST_SECONDS)}
    return {**kept, "ControlPath": quote_config_path(path)}


def is_open(path: str) -> bool:
    if not path:
        return False
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError:
            return False
    return True


def close_connection(path: str, host: str) -> None:
    """Let it end with its last session: others may be in use."""
    control(path, host, "stop")
    with contextlib.suppress(OSError):
        os.unlink(path)


def control(path: str, host: str, *words: str) -> bool:
    """Give an order to the background ssh (ssh -O); return whether it obeyed."""
    options = option_words({"ControlPath": quote_config_path(path)})
    done = query_program(ssh_command(host, ["-F", os.devnull, *options, "-O", *words]), EXIT_SECONDS)
    return done is not None and done.returncode == 0
