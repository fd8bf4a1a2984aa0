"""`socket`: a local unix socket for a machine's engine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.console import RewritingConsole
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.files.atomic import remove_if_present
from machinectl.foreground_program import run_foreground
from machinectl.hosts.login import Login
from machinectl.hosts.present_name import present_name
from machinectl.hosts.query_engines import ready_endpoint
from machinectl.machines.store.store_paths import NoSuchMachine
from machinectl.tunnels.command_environment import socket_variables, with_variables
from machinectl.tunnels.machine_engine import check_answer
from machinectl.tunnels.open_ports import OpenPorts
from machinectl.tunnels.port_forwarder import FollowedContainers, PortForwarder
from machinectl.tunnels.relay_thread import relayed
from machinectl.tunnels.socket_file import (
    AlreadyOpen,
    check_same,
    checked_path,
    default_path,
    opened_socket,
    shared_path,
)
from machinectl.tunnels.socket_notes import SocketNote, end_process, log_file, open_sockets, socket_at

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.hosts.present_name import PresentName
    from machinectl.machines.store import Store
    from machinectl.tunnels.open_ports import OpenPort
    from machinectl.tunnels.relay_thread import RelayThread

    # Called with docker's variables once the socket is open, None unsets one; and the note if it was open already.
    Announce = Callable[[Mapping[str, str | None], SocketNote | None], object]

# POSIX sh, env(1): a command that is not there, and one that cannot be run.
NOT_FOUND, NOT_STARTED = 127, 126


class CommandError(MachineError):
    def __init__(self, command: Sequence[str], exc: OSError) -> None:
        super().__init__(f"{command[0]} cannot be started: {exc.strerror}", Hint("Check its spelling, and $PATH"))
        self.exit_code = NOT_FOUND if isinstance(exc, FileNotFoundError) else NOT_STARTED


class LogConsole(RewritingConsole):
    """Rewrites the text of each note, but not its hint, which has a line of its own."""

    def note(self, text: str, hint: Hint = NO_HINT) -> None:
        self._console.note(self._rewrite(text), hint)

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        self._console.warn(self._rewrite(text), hint)


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
    console = LogConsole(console, with_time) if log else console

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
    # The process has written its error in full.
    error.label = "" if said else error.label
    raise error


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@dataclass(frozen=True)
class SocketRow:
    note: SocketNote

    def cells(self) -> list[str]:
        return [self.note.machine, self.note.path, str(self.note.pid or "-"), self.note.command or "-"]

    def fields(self) -> dict[str, object]:
        note = self.note
        return {
            "Name": note.machine,
            "Socket": note.path,
            "URL": f"unix://{note.path}",
            "PID": note.pid,
            "Command": note.command,
            "Log": note.log,
        }


def socket_ls(store: Store) -> list[SocketRow]:
    found = [note for note in open_sockets() if note.store == store.root]
    return [SocketRow(note) for note in sorted(found, key=lambda note: (note.machine, note.path))]


def socket_rm(store: Store, what: str) -> Iterator[SocketNote]:
    """Close a machine's sockets, or that at a path. Yields each. Those of running commands stay."""
    path = os.path.abspath(what)
    sockets = open_sockets()
    found = [note for note in sockets if note.path == path or (note.store == store.root and note.machine == what)]
    if not found:
        if os.sep not in what:
            store.check_exists(what)
        cause = f"machinectl has no open socket at {what}" if os.sep in what else f"{what} has no open socket"
        raise MachineError(cause, Hint("List the open ones", "machinectl socket ls"))
    free = [note for note in found if not note.command]
    if not free:
        note = found[0]
        hint = Hint("To end both", "kill", str(note.pid)) if note.pid else Hint(f"{note.server} runs it: end it there")
        raise MachineError(f"{note.path} is in use by {note.command}, and ends with it", hint)
    for note in free:
        end_process(note)
        yield note


@contextmanager
def forwarded_ports(console: Console, name: PresentName) -> Iterator[None]:
    """Raises MachineError if SSH fails at the start. Later failures are warnings."""

    def report(port: OpenPort, opened: bool) -> None:
        of_container = f" ({port.wish.container})" if port.wish.container else ""
        console.note(f"{port.here} -> {port.there}" if opened else f"{port.here} is closed{of_container}")

    ports = OpenPorts(name.name, console, report)
    forwarder = PortForwarder(name, console, Login(), ports, FollowedContainers(name.endpoint))
    forwarder.start()

    def watch() -> None:
        try:
            forwarder.wait()
        except NoSuchMachine:
            # The socket closes, and says so.
            return
        except MachineError as exc:
            console.warn(f"Ports are not forwarded any more: {exc.cause}")

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        forwarder.close()
