"""Commands that run for many machines side by side: what they say is handed out as it comes, and all can be ended."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from machinectl.descriptors import fitting_jobs
from machinectl.errors import MachineError
from machinectl.machines.record import natural
from machinectl.process_streams import StopEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from contextlib import AbstractContextManager

    from machinectl.console import Board, Console
    from machinectl.process_streams import Input

    Say = Callable[[bytes, bool], None]
    # Runs a machine's command to its end, and returns its exit status, or None where it was over before.
    Work = Callable[[str, Console, Say, StopEvent], int | None]
    Events = Generator["OutputPiece | CommandEnded | None", None, None]

Answer = TypeVar("Answer")

# As many as a person's connection and processors carry without one waiting for the other (measured: make bench).
LIMIT = 50
# Descriptors per machine: three streams of the program, three of the one that ends it, a file, and the kept output.
DESCRIPTORS = 8
# What has been said and is not handed out yet: as many pieces of 64 KiB at most. Who says more waits.
PIECES_AHEAD = 64
# A signal that comes while the main thread is on its way into waiting does not end the wait: how late it is heard then.
HEARD_SECONDS = 0.2
# How long ending the commands may take, connecting again included, before they are abandoned. Seconds.
ENDING_SECONDS = 15.0
# timeout(1)'s exit status.
TIMED_OUT = 124


class OutputPiece(NamedTuple):
    """Something that a machine's command says."""

    name: str
    data: bytes
    on_stderr: bool


class CommandEnded(NamedTuple):
    """A machine's command has ended: with its status, or with the reason why there is none (None).

    `is_late` is whether it was ended because the time was over.
    """

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
    """Do `work` for each machine, at most `limit` of them at once; yield what they say, and each when it has ended.

    Yields None if nothing came for a moment. They begin in natural order. After `timeout` seconds, commands that still
    run end with TIMED_OUT; if the `input` cannot be read any further, they end with an error. If the caller leaves, by
    `close()` or an exception such as ^C, running commands are ended. Questions are asked in the caller's thread.
    """
    crowd = StreamingThreads(console, sorted(set(names), key=lambda name: (natural(name), name)), work)
    if input:
        input.on_failure = crowd.stop
    timer = threading.Timer(timeout or 0, crowd.stop)
    timer.daemon = True
    if timeout is not None:
        timer.start()
    try:
        yield from crowd.events(limit, timeout)
    finally:
        timer.cancel()
        crowd.end()


class Failed(NamedTuple):
    """The thread of a machine has ended with what is no MachineError."""

    name: str
    why: BaseException


class Question(NamedTuple):
    """What is to be put to the person by the caller's thread, or refused where nobody is asked any more."""

    put: Callable[[], None]
    refuse: Callable[[], None]


class StreamingThreads:
    """The threads at work, and what they have to tell the caller's."""

    def __init__(self, console: Console, names: Sequence[str], work: Work) -> None:
        self.console = console
        self.work = work
        self.waiting = deque(names)
        # Those at work, each with when it began (time.monotonic).
        self.at_work: dict[str, float] = {}
        self.told: queue.Queue[OutputPiece | CommandEnded | Failed | Question] = queue.Queue(PIECES_AHEAD)
        self.over = StopEvent()
        # Why it is over, if neither the timeout nor the caller ended it; and the deadline for running commands.
        self.failure: MachineError | None = None
        self.patience = 0.0
        # Machines whose output was cut, because nobody read it at the end.
        self.cut: set[str] = set()

    def events(self, limit: int, timeout: float | None) -> Events:
        at_once = fitting_jobs(min(limit, len(self.waiting)), DESCRIPTORS)
        while self.waiting or self.at_work:
            while self.waiting and len(self.at_work) < at_once and not self.over.is_set:
                self.begin(self.waiting.popleft())
            if self.over.is_set:
                yield from self.not_begun()
            event = self.next_event()
            if isinstance(event, OutputPiece):
                yield event
            elif isinstance(event, CommandEnded):
                del self.at_work[event.name]
                yield event
            elif isinstance(event, Failed):
                del self.at_work[event.name]
                raise event.why
            elif isinstance(event, Question):
                event.put()
            elif self.over.is_set and time.monotonic() >= self.patience:
                yield from self.left_over(timeout)
            else:
                yield None

    def stop(self, failure: MachineError | None = None) -> None:
        """End all commands, from any thread: after the timeout, or after a failure that concerns all."""
        if not self.over.is_set:
            self.failure = failure
            self.patience = time.monotonic() + ENDING_SECONDS
            self.over.set()

    def begin(self, name: str) -> None:
        self.at_work[name] = time.monotonic()
        # Nobody waits for a daemon when the process ends: what a host does not answer keeps nobody here.
        threading.Thread(target=self.run, args=(name,), name=name, daemon=True).start()

    def run(self, name: str) -> None:
        """The thread of one machine."""
        began = self.at_work[name]
        try:
            status = self.work(name, StreamingConsole(self.console, self), partial(self.say, name), self.over)
        except MachineError as exc:
            took = time.monotonic() - began
            early = self.ended_early(name, took)._replace(error=exc)
            self.told.put(early if self.over.is_set else CommandEnded(name, None, exc, took))
        except BaseException as exc:  # noqa: BLE001 - raised again by the caller's thread
            self.told.put(Failed(name, exc))
        else:
            took = time.monotonic() - began
            self.told.put(self.ended_early(name, took) if status is None else CommandEnded(name, status, None, took))

    def say(self, name: str, data: bytes, on_stderr: bool) -> None:
        is_told = False
        while not (is_told or name in self.cut):
            try:
                self.told.put(OutputPiece(name, data, on_stderr), timeout=HEARD_SECONDS)
                is_told = True
            except queue.Full:
                # The printer waits for a pager or a pipe. At the end, nobody waits for the printer.
                if self.over.is_set:
                    self.cut.add(name)

    def next_event(self) -> OutputPiece | CommandEnded | Failed | Question | None:
        """Return the next event, None if none came for a moment."""
        try:
            return self.told.get(timeout=HEARD_SECONDS)
        except queue.Empty:
            return None

    def ended_early(self, name: str, took: float) -> CommandEnded:
        """Return the end of a machine whose command was stopped or never began."""
        if self.failure:
            return CommandEnded(name, None, self.failure, took)
        return CommandEnded(name, TIMED_OUT, None, took, is_late=True)

    def not_begun(self) -> Generator[CommandEnded, None, None]:
        while self.waiting:
            yield self.ended_early(self.waiting.popleft(), 0)

    def left_over(self, timeout: float | None) -> Generator[CommandEnded, None, None]:
        """Those that did not end when they were to."""
        now = time.monotonic()
        for name, began in self.at_work.items():
            within = "" if self.failure or timeout is None else f" within {timeout:g} s, nor"
            error = MachineError(
                f'The command on "{name}" did not end{within} when machinectl ended it',
                f"It may still run there: machinectl ssh {name}",
            )
            status = None if self.failure else TIMED_OUT
            yield CommandEnded(name, status, error, now - began, is_late=not self.failure)
        self.at_work.clear()

    def end(self) -> None:
        """Have what is under way end; what it says meanwhile goes nowhere."""
        self.stop()
        self.waiting.clear()
        deadline = time.monotonic() + ENDING_SECONDS
        while self.at_work and time.monotonic() < deadline:
            event = self.next_event()
            if isinstance(event, CommandEnded | Failed):
                del self.at_work[event.name]
            elif isinstance(event, Question):
                event.refuse()

    def answered(self, ask: Callable[[], Answer]) -> Answer:
        """Have a question put by the caller's thread, and wait for the answer."""
        from concurrent.futures import Future

        answer: Future[Answer] = Future()

        def put() -> None:
            try:
                answer.set_result(ask())
            except BaseException as exc:
                answer.set_exception(exc)
                if not isinstance(exc, Exception):
                    raise

        self.told.put(Question(put, lambda: answer.set_exception(KeyboardInterrupt())))
        return answer.result()


class StreamingConsole:
    """The console of one machine among others, which asks through the caller's thread, and tells of no steps."""

    def __init__(self, console: Console, crowd: StreamingThreads) -> None:
        self._console = console
        self._crowd = crowd

    @property
    def interactive(self) -> bool:
        return self._console.interactive

    def note(self, text: str) -> None:
        self._crowd.answered(lambda: self._console.note(text))

    def warn(self, text: str) -> None:
        self._crowd.answered(lambda: self._console.warn(text))

    def step(self, title: str) -> AbstractContextManager[None]:  # noqa: ARG002 (the contract's)
        from contextlib import nullcontext

        return nullcontext()

    def ask(self, question: str, *, secret: bool = False) -> str:
        return self._crowd.answered(lambda: self._console.ask(question, secret=secret))

    def confirm(self, question: str) -> bool:
        return self._crowd.answered(lambda: self._console.confirm(question))

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]:  # noqa: ARG002 (the contract's)
        raise RuntimeError("one machine among others has no board of its own")
