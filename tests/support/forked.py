"""Run machinectl without starting an interpreter: a process that has loaded it forks for each run.

A run is a process of its own, with its own streams, environment and exit status. To start an interpreter and to load
modules takes nine tenths of the CPU time of a run, and tests make thousands. What a start loads, and that it does, is
tested with interpreters of their own (tests/cli/test_light_path.py, `program.COMMAND`).
"""

from __future__ import annotations

import array
import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import machinectl
from machinectl.cli.invocation import THIS
from machinectl.hosts.connection import host_lock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What machinectl imports when a verb needs it, besides its own modules.
LIBRARIES = (
    *("argparse", "asyncio", "concurrent.futures", "ctypes", "hashlib", "http.client", "importlib.metadata"),
    *("ipaddress", "json", "logging", "platform", "queue", "selectors", "shlex", "shutil", "ssl", "subprocess"),
    *("tempfile", "urllib.parse"),
    *("cryptography.x509", "cryptography.hazmat.primitives.serialization", "paramiko", "platformdirs", "rich.live"),
    *("typer", "typer.core", "yaml", "tests.support.by_typer", "tests.support.dying"),
    *("machinectl_generic", "machinectl_none"),
)
# Of machinectl's own modules: pytest, and the program itself.
NOT_LOADED = ("machinectl.testing", "machinectl.__main__")
SERVE = "from tests.support.forked import serve; serve()"
# Variables that an interpreter reads when it starts: if they differ, a new one is started.
AT_START = ("PYTHON", "LANG", "LC_")
LONGEST = 1 << 20
MOST_DESCRIPTORS = 1 << 20
# A test may have changed the current directory or the environment before the first run.
CHECKOUT = Path(__file__).parents[2]
ENVIRONMENT = dict(os.environ)


class Forks:
    """The process that forks. It ends when its socket is closed, at the latest when its creator ends."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.at_start = at_start(ENVIRONMENT)
        command = [sys.executable, "-c", SERVE, str(theirs.fileno())]
        self.process = subprocess.Popen(command, cwd=CHECKOUT, env=ENVIRONMENT, pass_fds=[theirs.fileno()])
        theirs.close()
        self._lock = threading.Lock()

    def run(self, request: Mapping[str, Any], streams: Sequence[int]) -> socket.socket:
        """Start a run with three streams. The socket reports its process number, and at the end its exit status."""
        ours, theirs = socket.socketpair()
        with theirs:
            handed = array.array("i", [*streams, theirs.fileno()])
            message = json.dumps(request).encode()
            with self._lock:
                self._ours.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handed)])
        return ours


@functools.cache
def started() -> Forks:
    return Forks()


def run_forked(
    command: Sequence[str],
    environment: Mapping[str, str],
    stdin: bytes,
    directory: str,
    timeout: float,
    *,
    module: str = "machinectl.cli.main",
) -> subprocess.CompletedProcess[bytes] | None:
    """Run `main` of a module with `command` as sys.argv; None if an interpreter has to be started."""
    forks = started()
    if forks.at_start != at_start(environment):
        return None
    pipes = [os.pipe() for _ in range(3)]
    (theirs_in, to_it), (from_it, theirs_out), (of_it, theirs_err) = pipes
    request = {"command": list(command), "environment": dict(environment), "directory": directory, "module": module}
    streams = (theirs_in, theirs_out, theirs_err)
    with forks.run(request, streams) as told, told.makefile() as answers, ThreadPoolExecutor(3) as pool:
        for stream in streams:
            os.close(stream)
        process = int(answers.readline())
        said = [pool.submit(read_all, stream) for stream in (from_it, of_it)]
        pool.submit(write_all, to_it, stdin)
        told.settimeout(timeout)
        try:
            status = int(answers.readline())
        except TimeoutError as exc:
            os.kill(process, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(command), timeout) from exc
        return subprocess.CompletedProcess(list(command), status, said[0].result(), said[1].result())


def read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb") as stream:
        return stream.read()


def write_all(descriptor: int, data: bytes) -> None:
    with suppress(BrokenPipeError), open(descriptor, "wb") as stream:
        stream.write(data)


def at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(AT_START)}


def serve() -> NoReturn:
    """Fork for each request that comes on the socket of argv."""
    ours = [module.name for module in pkgutil.walk_packages(machinectl.__path__, "machinectl.")]
    for module in (*LIBRARIES, *ours):
        if not module.startswith(NOT_LOADED):
            importlib.import_module(module)
    # A run's garbage collection would copy the memory of all of this.
    gc.collect()
    gc.freeze()
    channel = socket.socket(fileno=int(sys.argv[1]))
    with selectors.DefaultSelector() as events:
        events.register(channel, selectors.EVENT_READ)
        while True:
            for event, _ in events.select():
                if event.fileobj is channel:
                    answer(channel, events)
                else:
                    events.unregister(event.fileobj)
                    report(*event.data)


def answer(channel: socket.socket, events: selectors.BaseSelector) -> None:
    """Fork for a request, and say to whom it belongs which process runs it."""
    message, descriptors, _, _ = socket.recv_fds(channel, LONGEST, 4)
    if not message:
        os._exit(0)
    *streams, told = descriptors
    child = os.fork()
    if child == 0:
        become(json.loads(message), streams)
    for stream in streams:
        os.close(stream)
    tell = socket.socket(fileno=told)
    with suppress(OSError):
        tell.sendall(f"{child}\n".encode())
    ended = os.pidfd_open(child)
    events.register(ended, selectors.EVENT_READ, (child, ended, tell))


def report(child: int, ended: int, tell: socket.socket) -> None:
    """Say how a process ended."""
    _, status = os.waitpid(child, 0)
    os.close(ended)
    with tell, suppress(OSError):
        tell.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def become(request: Mapping[str, Any], streams: Sequence[int]) -> NoReturn:
    """Run the program as in a new interpreter."""
    for number, given in enumerate(streams):
        os.dup2(given, number)
    # Those of the server, and of other runs.
    os.closerange(3, MOST_DESCRIPTORS)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["directory"])
    sys.argv = request["command"]
    THIS.script = sys.argv[0]
    # Each run has its own, made at import.
    host_lock.TOKEN = secrets.token_hex(8)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        errors, buffering = getattr(sys, name).errors, 1 if name == "stderr" else -1
        stream = open(number, mode, buffering, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115 (sys's)
        setattr(sys, name, stream)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[assignment,misc]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 1
    try:
        code = importlib.import_module(request["module"]).main()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:  # noqa: BLE001 (an interpreter ends so)
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # as an interpreter does at its end
        atexit._run_exitfuncs()
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
