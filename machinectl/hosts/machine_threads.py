"""One thread per machine. The caller's thread takes events and asks questions."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.console import Console
    from machinectl.hosts.rollout_order import StartOrder


Answer = TypeVar("Answer")
Event = TypeVar("Event")
Result = TypeVar("Result")

# A signal just before the main thread starts to wait does not wake it: it is handled this many seconds later.
WAKE_SECONDS = 0.2


@dataclass(frozen=True)
class Finished(Generic[Result]):
    """`crash` is the exception that ended the thread."""

    name: str
    result: Result | None
    crash: BaseException | None

    @property
    def error(self) -> BaseException | None:
        """The crash, or a result that is an exception."""
        return self.crash or (self.result if isinstance(self.result, BaseException) else None)


class Question:
    """Work for the caller's thread, such as asking the user."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        # Imported here: it imports logging.
        from concurrent.futures import Future

        self._ask = ask
        self.answer: Future[Any] = Future()

    def put(self) -> None:
        """Pass on the answer or exception. Also raises ^C here."""
        try:
            self.answer.set_result(self._ask())
        except BaseException as exc:
            self.answer.set_exception(exc)
            if not isinstance(exc, Exception):
                raise

    def refuse(self) -> None:
        """Raise KeyboardInterrupt in the machine's thread."""
        self.answer.set_exception(KeyboardInterrupt())


class MachineThreads(Generic[Result, Event]):
    """Subclasses add events and handle ^C and failures."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        # A signal handler may put events here: only SimpleQueue allows it.
        self.events: SimpleQueue[Finished[Result] | Question | Event] = SimpleQueue()

    def start_up_to(self, limit: int, order: StartOrder, job_of: Callable[[str], Callable[[], Result]]) -> None:
        """Stop at `limit`, or if `order` has none ready."""
        while len(self.running) < limit and (name := order.take()):
            # A daemon thread does not keep the process from ending: at a second ^C, or while a host does not answer.
            threading.Thread(target=self._run, args=(name, job_of(name)), name=name, daemon=True).start()
            self.running.add(name)

    def _run(self, name: str, job: Callable[[], Result]) -> None:
        try:
            finished = Finished(name, job(), None)
        except BaseException as exc:  # noqa: BLE001 - raised again by the caller's thread
            finished = Finished(name, None, exc)
        self.events.put(finished)

    def next_event(self) -> Finished[Result] | Question | Event | None:
        """Return None after WAKE_SECONDS."""
        try:
            return self.events.get(timeout=WAKE_SECONDS)
        except Empty:
            return None

    def ask(self, ask: Callable[[], Answer]) -> Answer:
        question = Question(ask)
        self.events.put(question)
        answer: Answer = question.answer.result()
        return answer


class MachineConsole:
    """The caller's thread asks the questions, one at a time."""

    def __init__(self, own: Console, threads: MachineThreads[Any, Any]) -> None:
        self._own = own
        self._threads = threads

    @property
    def interactive(self) -> bool:
        return self._own.interactive

    @property
    def progress(self) -> Callable[[str], None] | None:
        return self._own.progress

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        return self._threads.ask(lambda: self._own.ask(prompt, secret=secret))


Found = TypeVar("Found")

# The delay in seconds until a ^C just before the wait is noticed.
HEARD_SECONDS = 0.2


class BackgroundTask(Generic[Found]):
    """Runs at once in a daemon thread."""

    def __init__(self, look: Callable[[], Found]) -> None:
        self._look = look
        self._found: Found | None = None
        self._bug: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="beside")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = self._look()
        except Exception as exc:  # noqa: BLE001 - found() raises it again
            self._bug = exc

    def found(self, timeout: float | None = None) -> Found | None:
        """Return the result, None after `timeout` seconds."""
        end = time.monotonic() + (timeout if timeout is not None else float("inf"))
        while self._thread.is_alive() and (left := end - time.monotonic()) > 0:
            self._thread.join(min(left, HEARD_SECONDS))
        if self._bug:
            raise self._bug
        return self._found
