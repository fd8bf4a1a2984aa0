"""Run machinectl without starting an interpreter: a process that has loaded it forks for each run.

A run is a process of its own, with its own streams, environment and exit status. To start an interpreter and to load
modules takes nine tenths of the CPU time of a run, and tests make thousands. What a start loads, and that it does, is
tested with interpreters of their own (tests/cli/test_light_path.py, `program.COMMAND`).
"""

from __future__ import annotations

import array
import atexit
import fcntl
import functools
import gc
import importlib
import itertools
import json
import os
import pkgutil
import resource
import secrets
import select
import selectors
import signal
import socket
import subprocess
import sys
import termios
import threading
import traceback
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import machinectl
from machinectl.cli.invocation import THIS
from machinectl.hosts import host_lock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What machinectl imports when a verb needs it, besides its own modules.
LIBRARIES = (
    *("argparse", "asyncio", "concurrent.futures", "ctypes", "hashlib", "http.client", "importlib.metadata"),
    *("ipaddress", "json", "logging", "platform", "queue", "selectors", "shlex", "shutil", "ssl", "subprocess"),
    *("tempfile", "urllib.parse"),
    *("cryptography.x509", "cryptography.hazmat.primitives.serialization", "paramiko", "platformdirs", "rich.live"),
    *("typer", "typer.core", "yaml", "tests.support.dying", "tests.support.recording"),
    *("tests.support.puppets", "tests.support.code"),
    *("machinectl_generic", "machinectl_none"),
)
# Of machinectl's own modules: pytest, and the program itself.
NOT_LOADED = ("machinectl.testing", "machinectl.__main__")
SERVE = "from tests.support.forked import serve; serve()"
# Locales in which an interpreter is the same.
PLAIN = ("", "C", "POSIX", "C.UTF-8")
MAIN = "machinectl.cli.main"
LONGEST = 1 << 20
MOST_STREAMS = 16
MOST_DESCRIPTORS = 1 << 20
# Above all numbers that a run's streams are to have.
HIGH = 500
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


_FIRST = threading.Lock()


def forks() -> Forks:
    """Return the one of this process: a second, made by another thread meanwhile, would end with its runs."""
    with _FIRST:
        return _made()


_made = functools.cache(Forks)


class Forked(subprocess.Popen[bytes]):
    """A run of `main` of a module with `words` as sys.argv. `limits` are of setrlimit, by the resource's number.

    Its environment has to be like this process's own as far as an interpreter reads it when it starts; see `can_run`.
    As leader of a new session it has its stdin as its terminal, if that is one.
    """

    def __init__(
        self, words: Sequence[str], *, module: str = MAIN, limits: Mapping[int, int] | None = None, **options: Any
    ) -> None:
        self._module = module
        self._limits = list((limits or {}).items())
        super().__init__(words, **options)

    def _execute_child(self, args: Any, *rest: Any) -> None:
        _, _, _, keep, directory, environment, _, _, _, *pipes = rest[:15]
        streams = [number if own == -1 else own for number, own in enumerate((pipes[0], pipes[3], pipes[5]))]
        request = {
            "command": list(args),
            "environment": dict(os.environ if environment is None else environment),
            "directory": str(directory or os.getcwd()),
            "module": self._module,
            "limits": self._limits,
            "session": rest[-2],
            "keep": list(keep),
        }
        try:
            self._told = forks().run(request, [*streams, *keep])
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]  # typeshed leaves it out
        self._answers = self._told.makefile()
        self.pid = int(self._answers.readline())
        self._child_created = True

    def _internal_poll(self, _deadstate: object = None) -> int | None:
        return self._ended(0)

    def _wait(self, timeout: float | None) -> int:
        status = self._ended(timeout)
        if status is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        return status

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._told.close()
        return self.returncode


def can_run(environment: Mapping[str, str]) -> bool:
    """Whether an interpreter with this environment would be as that which forks. The benchmark has none that does."""
    return find_spec("pytest") is not None and forks().at_start == at_start(environment)


def run_forked(
    command: Sequence[str],
    environment: Mapping[str, str],
    stdin: bytes,
    directory: str,
    timeout: float,
    *,
    module: str = MAIN,
) -> subprocess.CompletedProcess[bytes] | None:
    """Run `main` of a module with `command` as sys.argv; None if an interpreter has to be started."""
    if not can_run(environment):
        return None
    pipe = subprocess.PIPE
    with Forked(
        command, module=module, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd=directory
    ) as process:
        try:
            said = process.communicate(stdin, timeout)
        except BaseException:
            process.kill()
            raise
        return subprocess.CompletedProcess(list(command), process.wait(), *said)


def at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what an interpreter reads when it starts; it takes all that are in PLAIN for C.UTF-8 (PEP 538).

    A run has what PYTHONPATH leads to, but no other one of what is loaded.
    """
    found = {name: value for name, value in environment.items() if name.startswith("PYTHON") and name != "PYTHONPATH"}
    locale = next(filter(None, map(environment.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    return found if locale in PLAIN else {**found, "LC_CTYPE": locale}


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
    message, descriptors, _, _ = socket.recv_fds(channel, LONGEST, MOST_STREAMS)
    if not message:
        os._exit(0)
    *streams, told = descriptors
    child = os.fork()
    if child == 0:
        request = json.loads(message)
        take(streams, [0, 1, 2, *request["keep"]])
        become(request)
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


def take(streams: Sequence[int], numbers: Sequence[int]) -> None:
    """Have these streams under those numbers, and no other ones: the rest is the server's, and other runs'."""
    clear = [fcntl.fcntl(stream, fcntl.F_DUPFD, HIGH) for stream in streams]
    for stream, number in zip(clear, numbers, strict=True):
        os.dup2(stream, number)
    for before, number in itertools.pairwise([*sorted(numbers), MOST_DESCRIPTORS]):
        os.closerange(before + 1, number)


def become(request: Mapping[str, Any]) -> NoReturn:
    """Run the program as in a new interpreter."""
    if request["session"]:
        os.setsid()
        if os.isatty(0):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for limit, value in request["limits"]:
        resource.setrlimit(limit, (value, value))
    os.environ.clear()
    os.environ.update(request["environment"])
    more = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [entry for entry in more if entry and entry not in sys.path]
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
