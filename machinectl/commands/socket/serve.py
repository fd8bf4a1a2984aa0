"""`socket`: a local unix socket for a machine's engine."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from machinectl.console import RewritingConsole
from machinectl.errors import MachineError
from machinectl.foreground_program import run_foreground
from machinectl.hosts.engine_socket.command_environment import socket_variables, with_variables
from machinectl.hosts.engine_socket.forwarded_ports import forwarded_ports
from machinectl.hosts.engine_socket.machine_engine import check_answer
from machinectl.hosts.engine_socket.relay_thread import relayed
from machinectl.hosts.engine_socket.socket_file import (
    AlreadyOpen,
    check_same,
    checked_path,
    default_path,
    opened_socket,
    shared_path,
)
from machinectl.hosts.engine_socket.socket_notes import SocketNote, socket_at
from machinectl.hosts.status.present_name import present_name
from machinectl.hosts.status.ready_endpoint import ready_endpoint

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.hosts.engine_socket.relay_thread import RelayThread
    from machinectl.hosts.status.present_name import PresentName
    from machinectl.machines.store import Store

    # Called with docker's variables once the socket is open, None unsets one; and the note if it was open already.
    Announce = Callable[[Mapping[str, str | None], SocketNote | None], object]

# POSIX sh, env(1): a command that is not there, and one that cannot be run.
NOT_FOUND, NOT_STARTED = 127, 126


class CommandError(MachineError):
    def __init__(self, command: Sequence[str], exc: OSError) -> None:
        super().__init__(f"{command[0]} cannot be started: {exc.strerror}", "Check its spelling, and $PATH")
        self.exit_code = NOT_FOUND if isinstance(exc, FileNotFoundError) else NOT_STARTED


def serve_socket(
    store: Store,
    console: Console,
    name: str,
    path: str,
    announce: Announce,
    *,
    log: str = "",
    forward: bool = False,
) -> None:
    """Serve until the machine or the socket is removed. If it is open already, only announce it.

    `log` is the file that the console writes to in the background.
    """
    endpoint = ready_endpoint(store, name)
    note = SocketNote(name, store.root, checked_path(path or shared_path(store, name)), log=log, forwards=forward)
    console = RewritingConsole(console, with_time) if log else console

    def variables() -> dict[str, str | None]:
        return socket_variables(note.path, name, store.read(name).urls[0], forward=forward)

    try:
        if not socket_at(note.path):
            check_answer(endpoint)
        with (
            present_name(store, name) as present,
            opened_socket(note) as listener,
            served(console, present, note, listener) as relay,
        ):
            announce(variables(), None)
            relay.wait()
    except AlreadyOpen as exc:
        check_same(exc.note, store, name, forward=forward)
        announce(variables(), exc.note)


def run_with_socket(
    store: Store,
    console: Console,
    name: str,
    path: str,
    command: list[str],
    environment: Mapping[str, str],
    *,
    forward: bool = False,
) -> int:
    """Run a command with a socket of its own; return its wait status. Raises MachineError."""
    check_answer(ready_endpoint(store, name))
    where = checked_path(path or default_path(store, name, str(os.getpid())))
    note = SocketNote(name, store.root, where, os.path.basename(command[0]), forwards=forward)
    with (
        present_name(store, name) as present,
        opened_socket(note) as listener,
        served(console, present, note, listener),
    ):
        variables = socket_variables(note.path, present.name, present.read().urls[0], forward=forward)
        try:
            return run_foreground(command, with_variables(environment, variables))
        except OSError as exc:
            raise CommandError(command, exc) from exc


@contextmanager
def served(console: Console, name: PresentName, note: SocketNote, listener: socket.socket) -> Iterator[RelayThread]:
    with ExitStack() as stack:
        relay = stack.enter_context(relayed(name, console, note, listener))
        if note.forwards:
            stack.enter_context(forwarded_ports(console, name))
        yield relay


def with_time(text: str) -> str:
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}"
