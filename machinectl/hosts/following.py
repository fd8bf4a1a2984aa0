"""Commands that run for many machines side by side: what they say is handed out as it comes, and all can be ended."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from machinectl.errors import MachineError
from machinectl.machines.record import natural
from machinectl.piping import Over

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from contextlib import AbstractContextManager

    from machinectl.console import Board, Console

    Say = Callable[[bytes, bool], None]
    # Runs a machine's command to its end, and returns its exit status, or None where it was over before.
    Work = Callable[[str, Console, Say, Over], int | None]
    Events = Generator["Said | Ended | None", None, None]

Answer = TypeVar("Answer")

# As many as a person's connection and processors carry without one waiting for the other (measured: make bench).
LIMIT = 50
# What has been said and is not handed out yet: as many pieces of 64 KiB at most. Who says more waits.
PIECES_AHEAD = 64
# A signal that comes while the main thread is on its way into waiting does not end the wait: how late it is heard then.
HEARD_SECONDS = 0.2
# How long commands that are to end may take, before they are left: a connection for what ends them, and that. Seconds.
ENDING_SECONDS = 15.0
# timeout(1)'s exit status.
TIMED_OUT = 124


class Said(NamedTuple):
    """Something that a machine's command says."""

    name: str
    data: bytes
    on_stderr: bool


class Ended(NamedTuple):
    """A machine's command has ended: with its status, or with the reason why there is none (None).

    `is_late` is whether it was ended because the time was over.
    """

    name: str
    status: int | None
    error: MachineError | None
    seconds: float
    is_late: bool = False


def followed(
    console: Console, names: Iterable[str], work: Work, *, limit: int = LIMIT, timeout: float | None = None
) -> Events:
    """Do `work` for each machine, at most `limit` of them at once; yield what they say, and each when it has ended.

    None is yielded where nothing has come for a moment. They begin in natural order. When `timeout` seconds are over,
    those that have not ended end with TIMED_OUT. A caller that leaves, by `close()` or an exception of its own as ^C is
    one, ends those under way. The caller's thread puts their questions.
    """
    crowd = Crowd(console, sorted(set(names), key=lambda name: (natural(name), name)), work)
    try:
        yield from crowd.events(limit, timeout)
    finally:
        crowd.end()


class Failed(NamedTuple):
    """The thread of a machine has ended with what is no MachineError."""

    name: str
    why: BaseException


class Question(NamedTuple):
    """What is to be put to the person by the caller's thread, or refused where nobody is asked any more."""

    put: Callable[[], None]
    refuse: Callable[[], None]


class Crowd:
    """The threads at work, and what they have to tell the caller's."""

    def __init__(self, console: Console, names: Sequence[str], work: Work) -> None:
        self.console = console
        self.work = work
        self.waiting = deque(names)
        # Those at work, each with when it began (time.monotonic).
        self.at_work: dict[str, float] = {}
        self.told: queue.Queue[Said | Ended | Failed | Question] = queue.Queue(PIECES_AHEAD)
        self.over = Over()

    def events(self, limit: int, timeout: float | None) -> Events:
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.waiting or self.at_work:
            while self.waiting and len(self.at_work) < limit and not self.over.is_set:
                self.begin(self.waiting.popleft())
            event = self.next_event(deadline)
            if isinstance(event, Said):
                yield event
            elif isinstance(event, Ended):
                del self.at_work[event.name]
                yield event
            elif isinstance(event, Failed):
                del self.at_work[event.name]
                raise event.why
            elif isinstance(event, Question):
                event.put()
            elif deadline and time.monotonic() >= deadline:
                if self.over.is_set:
                    yield from self.left_over(timeout)
                    return
                self.over.set()
                deadline += ENDING_SECONDS
                yield from self.not_begun()
            else:
                yield None

    def begin(self, name: str) -> None:
        self.at_work[name] = time.monotonic()
        # Nobody waits for a daemon when the process ends: what a host does not answer keeps nobody here.
        threading.Thread(target=self.run, args=(name,), name=name, daemon=True).start()

    def run(self, name: str) -> None:
        """The thread of one machine."""
        began = self.at_work[name]
        try:
            status = self.work(name, Apart(self.console, self), partial(self.say, name), self.over)
        except MachineError as exc:
            self.told.put(Ended(name, None, exc, time.monotonic() - began))
        except BaseException as exc:  # noqa: BLE001 - raised again by the caller's thread
            self.told.put(Failed(name, exc))
        else:
            took = time.monotonic() - began
            self.told.put(Ended(name, TIMED_OUT if status is None else status, None, took, status is None))

    def say(self, name: str, data: bytes, on_stderr: bool) -> None:
        self.told.put(Said(name, data, on_stderr))

    def next_event(self, deadline: float | None) -> Said | Ended | Failed | Question | None:
        """What there is next; None where nothing has come for a moment, or the deadline is over."""
        patience = HEARD_SECONDS if deadline is None else min(HEARD_SECONDS, max(0, deadline - time.monotonic()))
        try:
            return self.told.get(timeout=patience)
        except queue.Empty:
            return None

    def not_begun(self) -> Generator[Ended, None, None]:
        while self.waiting:
            yield Ended(self.waiting.popleft(), TIMED_OUT, None, 0, is_late=True)

    def left_over(self, timeout: float | None) -> Generator[Ended, None, None]:
        """Those that did not end when they were to."""
        now = time.monotonic()
        for name, began in self.at_work.items():
            error = MachineError(
                f'"{name}" did not end within {timeout:g} s, nor when it was told to',
                f"What was begun there may still run: machinectl ssh {name}",
            )
            yield Ended(name, TIMED_OUT, error, now - began, is_late=True)
        self.at_work.clear()

    def end(self) -> None:
        """Have what is under way end; what it says meanwhile goes nowhere."""
        self.over.set()
        self.waiting.clear()
        deadline = time.monotonic() + ENDING_SECONDS
        while self.at_work and time.monotonic() < deadline:
            event = self.next_event(deadline)
            if isinstance(event, Ended | Failed):
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


class Apart:
    """The console of one machine among others, which asks through the caller's thread, and tells of no steps."""

    def __init__(self, console: Console, crowd: Crowd) -> None:
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
