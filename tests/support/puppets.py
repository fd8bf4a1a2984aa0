"""Machines that are worked on at once, in a program of its own: each does what the test tells it to, when it does.

The test sees what a person sees: what is on a terminal, emulated, or what comes out of a pipe.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import termios
import threading
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pyte

from machinectl.cli.output.exit_status import guarded, report
from machinectl.cli.output.terminal import Terminal
from machinectl.console import StateNote, confirm
from machinectl.errors import Hint, MachineError
from machinectl.hosts.parallel import run_at_once
from tests.support.forked import Forked
from tests.support.program import open_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import IO

    from machinectl.console import Console

# Until a test fails that waits for what does not come. Seconds.
PATIENCE = 30
# What draws with rich, and is imported only for that.
BOARD = "machinectl.cli.output.live_board"


class Puppets:
    """The test's end: the program, and the wires to its machines."""

    def __init__(self, process: subprocess.Popen[bytes], wires: IO[str]) -> None:
        self.process = process
        self._wires = wires
        self._obeyed: list[str] = []

    def tell(self, name: str, verb: str, text: str = "") -> None:
        """Have a machine do something; see `obey` for what. Returns at once."""
        self._wires.write(f"{name}\t{verb}\t{text}\n")
        self._wires.flush()

    def did(self, name: str, verb: str, text: str = "") -> None:
        """Have a machine do something, and wait until it has done so."""
        self.tell(name, verb, text)
        self.until_obeyed(name, verb)

    def until_obeyed(self, name: str, verb: str) -> None:
        """Wait until a machine has done what it was told."""
        while f"{name} {verb}\n" not in self._obeyed:
            line = self._wires.readline()
            assert line, "the program has ended"
            self._obeyed.append(line)
        self._obeyed.remove(f"{name} {verb}\n")


def lines_of(screen: Any) -> list[str]:
    """Return what is on a screen, without the empty lines; pyte's `display` measures the empty cells, too."""
    rows = (screen.buffer[number] for number in range(screen.lines))
    lines = ("".join(row[column].data for column in range(max(row, default=-1) + 1)).rstrip() for row in rows)
    return [line for line in lines if line]


class TerminalView:
    """A terminal: keys that are typed there, and what is seen."""

    def __init__(self, terminal: int, screen: pyte.Screen) -> None:
        self.terminal = terminal
        self.screen = screen
        self._stream = pyte.ByteStream(screen)
        self.raw = b""

    @property
    def lines(self) -> list[str]:
        """What is on the screen now, without the empty lines."""
        return lines_of(self.screen)

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def until(self, seen: Callable[[], bool]) -> None:
        """Look on until something is seen."""
        while not seen():
            assert self.look(), f"nothing comes any more, and all that is seen is {self.lines}"

    def until_text(self, *texts: str) -> None:
        self.until(lambda: all(any(text in line for line in self.lines) for text in texts))

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        modes = termios.tcgetattr(self.terminal)[3]
        assert isinstance(modes, int)
        return bool(modes & termios.ECHO)

    def look(self) -> bool:
        """Wait for more; False if none comes, as the program has ended."""
        ready, _, _ = select.select([self.terminal], [], [], PATIENCE)
        try:
            piece = os.read(self.terminal, 65536) if ready else b""
        except OSError:  # EIO: the other end is closed
            piece = b""
        self.raw += piece
        self._stream.feed(piece)
        return bool(piece)


class OnTerminal(TerminalView, Puppets):
    """They are seen on a terminal."""

    def __init__(self, process: subprocess.Popen[bytes], wires: IO[str], terminal: int, screen: pyte.Screen) -> None:
        TerminalView.__init__(self, terminal, screen)
        Puppets.__init__(self, process, wires)

    def end(self) -> int:
        """Look on until the program has ended; its exit code."""
        while self.look():
            pass
        return self.process.wait()


class Piped(Puppets):
    """They write to pipes."""

    def read(self) -> bytes:
        """One line of stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def end(self) -> tuple[str, str]:
        """The rest of stdout and stderr."""
        out, err = self.process.communicate()
        return out.decode(), err.decode()


@contextmanager
def on_terminal(
    *names: str, columns: int = 80, rows: int = 24, limit: int = 10, environment: Mapping[str, str] | None = None
) -> Iterator[OnTerminal]:
    ours, theirs = open_terminal(rows, columns)
    variables = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "COLUMNS", "LINES"}}
    variables |= {"TERM": "xterm", "LC_ALL": "C.UTF-8", **(environment or {})}
    with started(names, limit, variables, theirs, theirs, theirs) as (process, wires):
        os.close(theirs)
        yield OnTerminal(process, wires, ours, pyte.Screen(columns, rows))
    os.close(ours)


@contextmanager
def piped(*names: str, limit: int = 10) -> Iterator[Piped]:
    pipe = subprocess.PIPE
    with started(names, limit, os.environ, pipe, pipe, pipe) as (process, wires):
        yield Piped(process, wires)


@contextmanager
def started(
    names: Sequence[str], limit: int, environment: Mapping[str, str], *streams: int
) -> Iterator[tuple[subprocess.Popen[bytes], IO[str]]]:
    ours, theirs = socket.socketpair()
    words = ["puppets", str(theirs.fileno()), str(limit), *names]
    with ours, theirs, ours.makefile("rw") as wires:
        process = Forked(
            words,
            module="tests.support.puppets",
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            env=environment,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        try:
            yield process, wires
        finally:
            process.kill()
            process.communicate()


class Machines:
    """The program's end."""

    def __init__(self, names: Sequence[str], wire: socket.socket) -> None:
        self.orders: dict[str, SimpleQueue[tuple[str, str]]] = {name: SimpleQueue() for name in names}
        self.wire = wire

    def listen(self) -> None:
        for line in self.wire.makefile():
            name, verb, text = line.rstrip("\n").split("\t")
            self.orders[name].put((verb, text))

    def work(self, name: str, console: Console) -> None:
        # Which thread it is in, for who wants to know.
        self.obeyed(name, "begin" if threading.current_thread() is not threading.main_thread() else "begin alone")
        self.obey(name, console)
        self.obeyed(name, "end")

    def obey(self, name: str, console: Console) -> None:
        """Do as told, one after the other; `end` ends the step that it is in, or else the work."""
        while (order := self.orders[name].get())[0] != "end":
            verb, text = order
            if verb == "step":
                with console.step(text):
                    self.obeyed(name, verb)
                    self.obey(name, console)
                verb = "end"
            elif verb == "note":
                said = text.replace("|", "\n")
                console.note(StateNote(said) if "already" in said else said)
            elif verb in {"warn", "progress"}:
                (console.warn if verb == "warn" else seen_progress(console))(text)
            elif verb == "confirm":
                console.note(f"the answer is {confirm(console, text)}")
            elif verb == "secret":
                console.note(f"the answer has {len(console.ask(f'{text}: ', secret=True))} letters")
            elif verb == "pause":
                self.obeyed(name, "pausing")
                console.pause(float(text))
            elif verb == "fail":
                raise MachineError(text, Hint("", "machinectl status", name))
            elif verb == "bug":
                raise ValueError(text)
            self.obeyed(name, verb)

    def obeyed(self, name: str, verb: str) -> None:
        self.wire.sendall(f"{name} {verb}\n".encode())


def seen_progress(console: Console) -> Callable[[str], None]:
    assert console.progress
    return console.progress


def main() -> int:
    descriptor, limit, *names = sys.argv[1:]
    # To be seen to be imported, or not.
    sys.modules.pop(BOARD, None)
    machines = Machines(names, socket.socket(fileno=int(descriptor)))
    threading.Thread(target=machines.listen, daemon=True).start()

    def all_of_them() -> None:
        for name, error in run_at_once(Terminal("machinectl"), names, machines.work, limit=int(limit)):
            if error:
                report(error)
            else:
                print(f"{name} it is", flush=True)

    code = guarded(all_of_them)
    print(f"exit code {code}, {'with' if BOARD in sys.modules else 'without'} rich", flush=True)
    return code
