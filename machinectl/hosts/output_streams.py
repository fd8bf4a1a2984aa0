"""Run commands on many machines and stream their output."""

from __future__ import annotations

import time
from functools import partial
from threading import Semaphore, Timer
from typing import TYPE_CHECKING, NamedTuple

from machinectl.descriptors import fitting_jobs
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.hosts.machine_threads import WAKE_SECONDS, Finished, MachineConsole, MachineThreads, Question
from machinectl.hosts.rollout_order import SimpleOrder
from machinectl.machines.record import natural
from machinectl.process_streams import StopEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from contextlib import AbstractContextManager

    from machinectl.console import Board, Console
    from machinectl.process_streams import Input

    Say = Callable[[bytes, bool], None]
    # Runs a machine's command and returns its exit status, or None if stopped before the start.
    Work = Callable[[str, Console, Say, StopEvent], int | None]
    Events = Generator["OutputPiece | CommandEnded", None, None]

# As many as uplink and processors carry without one waiting for the other (measured: make bench).
LIMIT = 50
# Descriptors per machine: three streams of the program, three of a program that ends it, and two to spare.
DESCRIPTORS = 8
# Pieces of output, up to 64 KiB each, that may wait to be yielded; then commands that print more wait.
PIECES_AHEAD = 64
# Seconds for ending commands, including reconnecting, before they are abandoned.
ENDING_SECONDS = 15.0
# timeout(1)'s exit status.
TIMED_OUT = 124


class OutputPiece(NamedTuple):
    name: str
    data: bytes
    on_stderr: bool


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
    *,
    limit: int = LIMIT,
    timeout: float | None = None,
    input: Input | None = None,  # noqa: A002 - subprocess.run's name for it
) -> Events:
    """Run `work` in natural order, `limit` at once; yield output and ends.

    After `timeout` seconds, commands end with TIMED_OUT; if `input` is unreadable, with an error. They also end if the
    caller leaves (`close()`, ^C). The caller's thread asks questions.
    """
    threads = StreamingThreads(console, sorted(set(names), key=lambda name: (natural(name), name)), work)
    if input:
        input.on_failure = threads.stop
    timer = Timer(timeout or 0, threads.stop)
    timer.daemon = True
    if timeout is not None:
        timer.start()
    try:
        yield from threads.results(limit, timeout)
    finally:
        timer.cancel()
        threads.end()


class StreamingThreads(MachineThreads[CommandEnded, OutputPiece]):
    """Threads whose commands stream output until `over`."""

    def __init__(self, console: Console, names: Sequence[str], work: Work) -> None:
        super().__init__()
        self.console = console
        self.work = work
        self.waiting = SimpleOrder(names)
        self.count = len(names)
        # When each command began (time.monotonic).
        self.began: dict[str, float] = {}
        self.pieces_ahead = Semaphore(PIECES_AHEAD)
        self.over = StopEvent()
        # Why commands are ended, except by the timeout or the caller; and how long to wait for them.
        self.failure: MachineError | None = None
        self.deadline = 0.0
        # Machines whose output was cut because nobody read it at the end.
        self.cut: set[str] = set()

    def results(self, limit: int, timeout: float | None) -> Events:
        at_once = fitting_jobs(min(limit, self.count), DESCRIPTORS)
        while True:
            if not self.over.is_set:
                self.start_up_to(at_once, self.waiting, self.job_of)
            if self.over.is_set:
                yield from self.not_begun()
            if not self.running:
                return
            event = self.next_event()
            if isinstance(event, Finished):
                if event.crash:
                    raise event.crash
                yield event.result  # type: ignore[misc]  # a job returns its end, or crashes
            elif isinstance(event, Question):
                event.put()
            elif event is None and self.over.is_set and time.monotonic() >= self.deadline:
                yield from self.abandoned(timeout)
            elif event is not None:
                yield event

    def next_event(self) -> Finished[CommandEnded] | Question | OutputPiece | None:
        event = super().next_event()
        if isinstance(event, OutputPiece):
            self.pieces_ahead.release()
        elif isinstance(event, Finished):
            self.running.discard(event.name)
        return event

    def stop(self, failure: MachineError | None = None) -> None:
        """End all commands, from any thread."""
        if not self.over.is_set:
            self.failure = failure
            self.deadline = time.monotonic() + ENDING_SECONDS
            self.over.set()

    def job_of(self, name: str) -> Callable[[], CommandEnded]:
        self.began[name] = time.monotonic()
        return partial(self.run, name)

    def run(self, name: str) -> CommandEnded:
        error = status = None
        try:
            status = self.work(name, StreamingConsole(self.console, self), partial(self.say, name), self.over)
        except MachineError as exc:
            error = exc
        seconds = time.monotonic() - self.began[name]
        if status is None and (self.over.is_set or not error):
            stopped = self.stopped(name, seconds)
            return stopped._replace(error=error or stopped.error)
        return CommandEnded(name, status, error, seconds)

    def say(self, name: str, data: bytes, on_stderr: bool) -> None:
        while name not in self.cut:
            if self.pieces_ahead.acquire(timeout=WAKE_SECONDS):
                self.events.put(OutputPiece(name, data, on_stderr))
                return
            # A pager or pipe blocks the output. At the end, do not wait for it.
            if self.over.is_set:
                self.cut.add(name)

    def stopped(self, name: str, seconds: float) -> CommandEnded:
        if self.failure:
            return CommandEnded(name, None, self.failure, seconds)
        return CommandEnded(name, TIMED_OUT, None, seconds, is_late=True)

    def not_begun(self) -> Generator[CommandEnded, None, None]:
        while name := self.waiting.take():
            yield self.stopped(name, 0)

    def abandoned(self, timeout: float | None) -> Generator[CommandEnded, None, None]:
        within = "" if self.failure or timeout is None else f" within {timeout:g} s, nor"
        for name in sorted(self.running, key=self.began.__getitem__):
            error = MachineError(
                f'The command on "{name}" did not end{within} when machinectl ended it',
                Hint("It may still run there", "machinectl ssh", name),
            )
            yield self.stopped(name, time.monotonic() - self.began[name])._replace(error=error)
        self.running.clear()

    def end(self) -> None:
        """End commands and drop their output."""
        self.stop()
        list(self.not_begun())
        deadline = time.monotonic() + ENDING_SECONDS
        while self.running and time.monotonic() < deadline:
            event = self.next_event()
            if isinstance(event, Question):
                event.refuse()


class StreamingConsole(MachineConsole):
    """Shows no steps, because the output is shown."""

    def note(self, text: str, hint: Hint = NO_HINT) -> None:
        self._threads.ask(lambda: self._own.note(text, hint))

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        self._threads.ask(lambda: self._own.warn(text, hint))

    def step(self, title: str) -> AbstractContextManager[None]:  # noqa: ARG002 (the contract's)
        from contextlib import nullcontext

        return nullcontext()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]:  # noqa: ARG002 (the contract's)
        raise RuntimeError("one machine among others has no board of its own")
