"""Serve the socket of a machine: for a command, until ^C, or in the background."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.check import SHELL, Check, ok
from machinectl.console import RewritingConsole
from machinectl.engine.endpoint import Deadline
from machinectl.engine.probe import ask_engine
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.files.atomic import remove_if_present
from machinectl.foreground_program import run_foreground
from machinectl.hosts.docker_environment import ENGINE_SOCKET, MOUNTED_SOCKET, PORTS_HOST, UNIX
from machinectl.hosts.login import Login
from machinectl.hosts.present_name import LOOK_SECONDS, present_name
from machinectl.hosts.query_engines import ready_endpoint
from machinectl.machines.store.store_paths import NoSuchMachine
from machinectl.tunnels.local_sockets import (
    AlreadyOpen,
    OpenSocket,
    ask_socket,
    check_same,
    checked_path,
    default_path,
    log_file,
    machine_at_socket,
    opened_socket,
    shared_path,
)
from machinectl.tunnels.open_ports import OpenPorts
from machinectl.tunnels.port_forwarder import PortForwarder
from machinectl.tunnels.published_ports import FollowedContainers
from machinectl.tunnels.relay import DIAL_SECONDS, MachineEngine, Relay

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from machinectl.check import Seat
    from machinectl.console import Console
    from machinectl.hosts.present_name import PresentName
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.tunnels.open_ports import OpenPort

    Variables = Mapping[str, str | None]
    # Called with docker's variables once the socket is open, None unsets one; and the socket if it was open already.
    Announce = Callable[[Variables, OpenSocket | None], object]

# POSIX sh, env(1): a command that is not there, and one that cannot be run.
NOT_FOUND, NOT_STARTED = 127, 126
# Other variables that docker's programs read, and that would lead past the socket.
UNSET = ("DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH", "DOCKER_CONTEXT", "BUILDX_BUILDER")


class CommandError(MachineError):
    def __init__(self, command: Sequence[str], exc: OSError) -> None:
        super().__init__(f"{command[0]} cannot be started: {exc.strerror}", Hint("Check its spelling, and $PATH"))
        self.exit_code = NOT_FOUND if isinstance(exc, FileNotFoundError) else NOT_STARTED


class LogConsole(RewritingConsole):
    """Adds the time to each note, but not to its hint, which has a line of its own."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, lambda text: f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}")

    def note(self, text: str, hint: Hint = NO_HINT) -> None:
        self._console.note(self._rewrite(text), hint)

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        self._console.warn(self._rewrite(text), hint)


@contextmanager
def relayed(name: PresentName, console: Console, own: OpenSocket, listener: socket.socket) -> Iterator[Future[None]]:
    """Relay connections in a thread. Yield its future, so that a bug in it is not lost."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def describe() -> dict[str, object]:
        # `rename` may have given the machine another name.
        with suppress(NoSuchMachine):
            return {**vars(own), "machine": name.find()}
        return {**vars(own), "machine": ""}

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(Relay(MachineEngine(name), console, describe).serve(listener, stop))

    with ThreadPoolExecutor(1, "relay") as pool:
        relay = pool.submit(run)
        try:
            yield relay
        finally:
            # The loop is closed if the thread has failed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(stop.set)


def wait_for_end(name: PresentName, console: Console, path: str, relay: Future[None]) -> None:
    """Wait until the machine or the socket is removed."""
    created = os.lstat(path)
    while True:
        with suppress(TimeoutError):
            return relay.result(LOOK_SECONDS)
        try:
            name.find()
            if os.path.samestat(created, os.lstat(path)):
                continue
        except NoSuchMachine as exc:
            return console.warn(f"{path} is closed: {exc.cause}")
        except OSError:
            pass
        return console.warn(f"{path} was removed: nothing is served there any more")


def serve_socket(
    store: Store, console: Console, name: str, path: str, announce: Announce, *, log: str = "", forward: bool = False
) -> None:
    """Serve until the machine or the socket is removed. If it is open already, only announce it.

    `log` is the file that the console writes to in the background.
    """
    store.read_ready(name)
    own = OpenSocket(name, store.root, checked_path(path or shared_path(store, name)), log=log, forwards=forward)
    try:
        if not ask_socket(own.path):
            check_engine(store, name)
        console = LogConsole(console) if log else console
        with served(store, console, own) as (present, relay):
            announce(variables_of(store, own), None)
            wait_for_end(present, console, own.path, relay)
    except AlreadyOpen as exc:
        check_same(exc.other, store, name, forward=forward)
        announce(variables_of(store, own), exc.other)


def check_engine(store: Store, name: str) -> None:
    """Raise MachineError if the engine does not answer."""
    ask_engine(ready_endpoint(store, name), Deadline(DIAL_SECONDS), None)


def variables_of(store: Store, own: OpenSocket) -> dict[str, str | None]:
    """Return variables for the docker CLI, SDKs and Testcontainers; None unsets one."""
    ports_host = "" if own.forwards else engine_url.parse_url(store.read(own.machine).urls[0]).host
    return {
        "DOCKER_HOST": f"{UNIX}{own.path}",
        **dict.fromkeys(UNSET),
        "DOCKER_MACHINE_NAME": own.machine,
        PORTS_HOST: ports_host or "localhost",
        MOUNTED_SOCKET: ENGINE_SOCKET,
    }


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
    check_engine(store, name)
    path = checked_path(path or default_path(store, name, str(os.getpid())))
    own = OpenSocket(name, store.root, path, os.path.basename(command[0]), forwards=forward)
    with served(store, console, own):
        variables = {**environment, **variables_of(store, own)}
        try:
            return run_foreground(command, {name: value for name, value in variables.items() if value is not None})
        except OSError as exc:
            raise CommandError(command, exc) from exc


@contextmanager
def served(store: Store, console: Console, own: OpenSocket) -> Iterator[tuple[PresentName, Future[None]]]:
    """Raises AlreadyOpen."""
    with ExitStack() as stack:
        name = stack.enter_context(present_name(store, own.machine))
        listener = stack.enter_context(opened_socket(own))
        relay = stack.enter_context(relayed(name, console, own, listener))
        if own.forwards:
            stack.enter_context(forwarded_ports(console, name))
        yield name, relay


def open_in_background(store: Store, name: str, path: str, *, forward: bool = False) -> Variables:
    """Return docker's variables once the socket is open. Raises MachineError."""
    store.read_ready(name)
    own = OpenSocket(name, store.root, checked_path(path or shared_path(store, name)), forwards=forward)
    if other := ask_socket(own.path):
        check_same(other, store, name, forward=forward)
    else:
        # The process would write the same to its log.
        check_engine(store, name)
        start_process(own)
    return variables_of(store, own)


def start_process(own: OpenSocket) -> None:
    """Return once the socket is open. Raises MachineError with what the process says of its end."""
    log = log_file(own.path)
    remove_if_present(log)
    program = [sys.executable, "-P", "-m", "machinectl", "-s", own.store]
    words = ["socket", own.machine, "--path", own.path, "--log", log, *["--forward"] * own.forwards]
    with open(log, "a+b", opener=lambda path, flags: os.open(path, flags, 0o600)) as errors:
        process = subprocess.Popen(
            [*program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            # It holds no directory, and no terminal ends it.
            cwd="/",
            start_new_session=True,
        )
        with process.stdout as output:  # type: ignore[union-attr]  # it is a pipe
            if output.readline():
                # The process keeps running. Without a status, Popen warns that nobody has waited for it.
                process.returncode = 0
                return
        process.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace").rstrip()
        remove_if_present(log)
    error = MachineError(said or "The socket's process died")
    # The process has written its error in full.
    error.label = "" if said else error.label
    raise error


@contextmanager
def forwarded_ports(console: Console, name: PresentName) -> Iterator[None]:
    """Raises MachineError if SSH fails at the start. Later failures are warnings."""

    def report(port: OpenPort, opened: bool) -> None:
        console.note(f"{port.here} -> {port.there}" if opened else port.closed)

    ports = OpenPorts(name.name, console, report)
    forwarder = PortForwarder(name, console, Login(), ports, FollowedContainers(name.endpoint))

    def run() -> None:
        try:
            forwarder.run()
        except NoSuchMachine:
            # The socket closes, and says so.
            return
        except MachineError as exc:
            console.warn(f"Ports are not forwarded any more: {exc.cause}")

    try:
        forwarder.start()
        threading.Thread(target=run, daemon=True).start()
        yield
    finally:
        forwarder.close()


def checks(store: Store, _machines: Sequence[Machine], seat: Seat) -> Iterator[Check]:
    """Yield doctor's check of a shell that uses one of our sockets."""
    if name := machine_at_socket(store, seat.environment.get("DOCKER_HOST", "")):
        yield ok(SHELL, f'docker uses the socket of "{name}"')
