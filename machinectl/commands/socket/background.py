"""`socket --background`: open a socket that outlives this command."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.files.atomic import remove_if_present
from machinectl.hosts.engine_socket.command_environment import socket_variables
from machinectl.hosts.engine_socket.machine_engine import check_answer
from machinectl.hosts.engine_socket.socket_file import check_same, checked_path, shared_path
from machinectl.hosts.engine_socket.socket_notes import log_file, socket_at
from machinectl.hosts.status.ready_endpoint import ready_endpoint

if TYPE_CHECKING:
    from machinectl.machines.store import Store


def open_in_background(store: Store, name: str, path: str, *, forward: bool = False) -> dict[str, str | None]:
    """Return docker's variables once the socket is open. Raises MachineError."""
    endpoint = ready_endpoint(store, name)
    path = checked_path(path or shared_path(store, name))
    if note := socket_at(path):
        check_same(note, store, name, forward=forward)
        return socket_variables(path, name, store.read(name).urls[0], forward=forward)
    # The process would write the same to its log.
    check_answer(endpoint)
    log = log_file(path)
    remove_if_present(log)
    command = [sys.executable, "-P", "-m", "machinectl", "-s", store.root, "socket", name, "--path", path, "--log", log]
    command += ["--forward"] * forward
    with open(log, "a+b", opener=private) as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            # It holds no directory, and no terminal ends it.
            cwd="/",
            start_new_session=True,
        )
        with process.stdout as said:  # type: ignore[union-attr]  # it is a pipe
            is_open = bool(said.readline())
        if is_open:
            # The process keeps running. Without a status, Popen warns that nobody has waited for it.
            process.returncode = 0
            return socket_variables(path, name, store.read(name).urls[0], forward=forward)
        process.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace").rstrip()
        remove_if_present(log)
    error = MachineError(said or "The socket's process died")
    # The process has written its error as it is printed.
    error.label = "" if said else error.label
    raise error


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
