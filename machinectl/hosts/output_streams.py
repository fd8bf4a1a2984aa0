"""Run commands on many machines and stream their output."""

from __future__ import annotations

import time
from functools import partial
from threading import Semaphore, Timer
from typing import TYPE_CHECKING, NamedTuple

from machinectl.console import SilentConsole
from machinectl.descriptors import fitting_jobs
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.hosts.parallel import WAKE_SECONDS, Finished, MachineThreads, Question
from machinectl.hosts.rollout_order import RolloutOrder
from machinectl.process_streams import StopEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from machinectl.console import Console
    from machinectl.process_streams import Input, WriteOutput

    # Runs a machine's command and returns its exit status, or None if stopped before the start.
    Work = Callable[[str, Console, WriteOutput, StopEvent], int | None]
    # Prints a machine's output; True is for stderr.
    Said = Callable[[str, bytes, bool], object]

# As many as uplink and processors carry without one waiting for the other (measured: make bench).
LIMIT = 50
# Descriptors per machine: three streams of the program, three of a program that ends it, and two to spare.
DESCRIPTORS = 8
# Pieces of output, up to 64 KiB each, that may wait to be printed; then commands that print more wait.
PIECES_AHEAD = 64
# Seconds for ending commands, including reconnecting, before they are abandoned.
ENDING_SECONDS = 15.0
# timeout(1)'s exit status.
TIMED_OUT = 124


class CommandEnded(NamedTuple):
    """The exit status, or None and the reason. `is_late`: ended by the timeout."""

    name: str
    status: int | None
    error: MachineError | None
    seconds: float
    is_late: bool = False


def stream_output(
    console: Console,
    names: Iterable[str],
    work: Work,
    said: Said,
    *,
    limit: int = LIMIT,
    timeout: float | None = None,
    input: Input | None = None,  # noqa: A002 - subprocess.run's name for it
) -> Generator[CommandEnded, None, None]:
    """Run `work` in natural order, `limit` at once; yield the ends.

    After `timeout` seconds, commands end with TIMED_OUT; if `input` is unreadable, with an error. They also end if the
    caller leaves (`close()`, ^C). The caller's thread prints and asks questions.
    """
    machines = sorted(set(names))
    order = RolloutOrder(machines)
    threads = StreamingThreads(console, work, said, input)
    timer = Timer(timeout or 0, threads.over.set)
    timer.daemon = True
    if timeout is not None:
        timer.start()
    try:
        while True:
            threads.start_up_to(fitting_jobs(min(limit, len(machines)), DESCRIPTORS), order, threads.run)
            if not threads.running:
                return
            event = threads.next_event()
            if isinstance(event, Finished):
                if event.crash:
                    raise event.crash
                yield event.result
            elif event:
                event()
    finally:
        timer.cancel()
        threads.end()


class StreamingThreads(MachineThreads):
    """Threads whose commands stream output until `over`."""

    def __init__(self, console: Console, work: Work, said: Said, given: Input | None) -> None:
        super().__init__()
        self.console = StreamingConsole(console, self)
        self.work = work
        self.said = said
        self.given = given
        self.pieces_ahead = Semaphore(PIECES_AHEAD)
        self.over = StopEvent()
        if given:
            given.on_failure = lambda _: self.over.set()
        # Machines whose output was cut because nobody read it at the end.
        self.cut: set[str] = set()

    def run(self, name: str) -> CommandEnded:
        began = time.monotonic()
        error = status = None
        try:
            status = None if self.over.is_set else self.work(name, self.console, partial(self.say, name), self.over)
        except MachineError as exc:
            error = exc
        seconds = time.monotonic() - began
        if status is not None or (error and not self.over.is_set):
            return CommandEnded(name, status, error, seconds)
        if self.given and self.given.failure:
            return CommandEnded(name, None, error or self.given.failure, seconds)
        return CommandEnded(name, TIMED_OUT, error, seconds, is_late=True)

    def say(self, name: str, data: bytes, on_stderr: bool) -> None:
        while name not in self.cut:
            if self.pieces_ahead.acquire(timeout=WAKE_SECONDS):
                self.events.put(partial(self.print_piece, name, data, on_stderr))
                return
            # A pager or pipe blocks the output. At the end, do not wait for it.
            if self.over.is_set:
                self.cut.add(name)

    def print_piece(self, name: str, data: bytes, on_stderr: bool) -> None:
        self.pieces_ahead.release()
        self.said(name, data, on_stderr)

    def end(self) -> None:
        """End commands and drop their output."""
        self.over.set()
        deadline = time.monotonic() + ENDING_SECONDS
        while self.running and time.monotonic() < deadline:
            event = self.next_event()
            if isinstance(event, Question):
                event.refuse()
            elif event and not isinstance(event, Finished):
                self.pieces_ahead.release()


class StreamingConsole(SilentConsole):
    """Shows no steps, because the output is shown. The caller's thread prints notes and asks."""

    def __init__(self, own: Console, threads: MachineThreads) -> None:
        self.interactive = own.interactive
        self._own = own
        self._threads = threads

    def note(self, text: str, hint: Hint = NO_HINT) -> None:
        self._threads.ask(lambda: self._own.note(text, hint))

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        self._threads.ask(lambda: self._own.warn(text, hint))

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        return self._threads.ask(lambda: self._own.ask(prompt, secret=secret))
