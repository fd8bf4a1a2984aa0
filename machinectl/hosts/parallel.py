"""Run work on machines in threads; the caller's thread asks questions."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from machinectl.console import RewritingConsole, SharedBoard
from machinectl.descriptors import fitting_jobs
from machinectl.errors import MachineError
from machinectl.hosts.rollout_order import RolloutOrder
from machinectl.machines.record import natural

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from machinectl.console import Board, Console

# Ten engines downloaded at once (some 100 MB each) fill the uplink that hosts share, and a person can follow ten
# lines. This one process encrypts every machine's SSH session.
LIMIT = 10
# Descriptors per machine: its lock, a session and its command, the end signal, the engine, and a file.
DESCRIPTORS = 12
# A signal just before the main thread starts to wait does not wake it: it is handled this many seconds later.
WAKE_SECONDS = 0.2
# The ^C that abandons the steps under way; one more ends the program wherever it is.
ABANDONING = 2

T = TypeVar("T")
Answer = TypeVar("Answer")


def run_at_once(
    console: Console,
    names: Iterable[str],
    work: Callable[[str, Console], T],
    *,
    limit: int = LIMIT,
    order: RolloutOrder | None = None,
    abandons: bool = False,
) -> Generator[tuple[str, T | MachineError], None, None]:
    """Run `work(name, console)` in threads; yield each name with its result or error.

    Machines start in natural order or by `order`, which may skip some. The caller's thread asks questions, and may
    print only while it has a result. A single machine runs in this thread.

    ^C starts no more machines; running ones finish their step, then get KeyboardInterrupt. Finished machines are
    yielded before it is raised. A second ^C raises at once. Steps also finish if the caller leaves or a thread crashes.
    With `abandons`, the first ^C and a caller that leaves end the work at once.
    """
    wanted = sorted(set(names), key=lambda name: (natural(name), name))
    if len(wanted) <= 1:
        for name in wanted:
            yield name, run_and_catch(work, name, console)
        return
    threads = WorkerThreads(console, work, abandons=abandons)
    with threads.handling_sigint(), console.board(wanted) as threads.board:
        yield from threads.results(order or RolloutOrder(wanted), fitting_jobs(min(limit, len(wanted)), DESCRIPTORS))


def run_and_catch(work: Callable[[str, Console], T], name: str, console: Console) -> T | MachineError:
    try:
        return work(name, console)
    except MachineError as exc:
        return exc


class Finished(NamedTuple):
    """A machine's result, or the exception that ended its thread."""

    name: str
    result: Any = None
    crash: BaseException | None = None

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

    def __call__(self) -> None:
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


class MachineThreads:
    """One thread per machine. The caller's thread takes their ends, and calls what they put for it."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        # A signal handler may put events here: only SimpleQueue allows it.
        self.events: SimpleQueue[Finished | Callable[[], object]] = SimpleQueue()

    def start_up_to(self, limit: int, order: RolloutOrder, work: Callable[[str], object]) -> None:
        """Stop at `limit`, or if `order` has none ready."""
        while len(self.running) < limit and (name := order.take()):
            # A daemon thread does not keep the process from ending: at a second ^C, or while a host does not answer.
            threading.Thread(target=self._run, args=(name, work), name=name, daemon=True).start()
            self.running.add(name)

    def _run(self, name: str, work: Callable[[str], object]) -> None:
        try:
            finished = Finished(name, work(name))
        except BaseException as exc:  # noqa: BLE001 - raised again by the caller's thread
            finished = Finished(name, crash=exc)
        self.events.put(finished)

    def next_event(self) -> Finished | Callable[[], object] | None:
        """Return None after WAKE_SECONDS."""
        try:
            event = self.events.get(timeout=WAKE_SECONDS)
        except Empty:
            return None
        if isinstance(event, Finished):
            self.running.discard(event.name)
        return event

    def ask(self, ask: Callable[[], Answer]) -> Answer:
        question = Question(ask)
        self.events.put(question)
        answer: Answer = question.answer.result()
        return answer


class WorkerThreads(MachineThreads):
    """Finishes steps at ^C."""

    board: Board

    def __init__(self, console: Console, work: Callable[[str, Console], T], *, abandons: bool = False) -> None:
        super().__init__()
        self.console = console
        self.work = work
        self.abandons = abandons
        # Set when no further step may begin.
        self.over = threading.Event()
        # How often ^C came.
        self.interrupts = 0
        self.is_asking = False
        self.bug: BaseException | None = None

    def results(self, order: RolloutOrder, limit: int) -> Iterator[tuple[str, Any]]:
        try:
            while True:
                if not (self.interrupts or self.bug):
                    self.start_up_to(limit, order, self.work_on)
                if not self.running:
                    break
                ended = self.next_end()
                order.ended(ended.name, failed=ended.error is not None)
                if ended.crash is None:
                    with self.board.aside():
                        yield ended.name, ended.result
        finally:
            self.finish()
        if self.bug:
            raise self.bug
        if self.interrupts:
            raise KeyboardInterrupt

    def work_on(self, name: str) -> object:
        return run_and_catch(self.work, name, WorkerConsole(self.board.console(name), self))

    def next_end(self) -> Finished:
        """Wait for a machine to end; handle questions and ^C."""
        while not isinstance(event := self.next_event(), Finished):
            if isinstance(event, Question):
                self.put_question(event)
            elif event:
                event()
        self.board.done(event.name, event.error)
        is_interrupted = self.over.is_set() and isinstance(event.crash, KeyboardInterrupt)
        if event.crash and not is_interrupted:
            self.bug = event.crash
            self.over.set()
        return event

    def finish(self) -> None:
        if self.abandons:
            return
        if self.running and not self.interrupts:
            self.stop()
        while self.running and self.interrupts == 1:
            self.next_end()

    @contextmanager
    def handling_sigint(self) -> Iterator[None]:
        """Turn the first ^C into an event."""
        mine = threading.current_thread() is threading.main_thread()
        # Keep an ignored signal (nohup) or another handler.
        if not mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self.interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupted(self, *_: object) -> None:
        """A signal handler must touch no lock except SimpleQueue's."""
        self.interrupts += 1
        if self.interrupts > ABANDONING or self.abandons or self.is_asking:
            raise KeyboardInterrupt
        # The second one, too, waits until the board is drawn.
        self.events.put(self.abandon if self.interrupts == ABANDONING else self.stop)

    def abandon(self) -> None:
        raise KeyboardInterrupt

    def stop(self) -> None:
        """Begin no further step."""
        self.interrupts = 1
        self.over.set()
        if self.running:
            with self.board.aside():
                self.console.note("Finishing the steps under way; no other step begins. ^C again abandons them")

    def put_question(self, question: Question) -> None:
        if self.interrupts or self.bug:
            question.refuse()
            return
        self.is_asking = True
        try:
            question()
        except KeyboardInterrupt:
            self.stop()
        finally:
            self.is_asking = False


class WorkerConsole(RewritingConsole):
    """A line of the board. Steps end after ^C."""

    def __init__(self, own: Console, threads: WorkerThreads) -> None:
        super().__init__(own, str)
        self._threads = threads

    def step(self, title: str) -> AbstractContextManager[None]:
        if self._threads.over.is_set():
            raise KeyboardInterrupt
        return super().step(title)

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        ask = super().ask
        return self._threads.ask(lambda: ask(prompt, secret=secret))

    def pause(self, seconds: float) -> None:
        if self._threads.over.wait(seconds):
            raise KeyboardInterrupt

    @contextmanager
    def board(self, names: Sequence[str]) -> Iterator[Board]:  # noqa: ARG002 (the contract's)
        yield SharedBoard(self)


class BackgroundTask(Generic[T]):
    """Runs at once in a daemon thread."""

    def __init__(self, look: Callable[[], T]) -> None:
        self._look = look
        self._answer: T | None = None
        self._bug: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="beside")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answer = self._look()
        except Exception as exc:  # noqa: BLE001 - answer() raises it again
            self._bug = exc

    def answer(self, timeout: float | None = None) -> T | None:
        """Return the result, None after `timeout` seconds."""
        self._thread.join(timeout)
        if self._bug:
            raise self._bug
        return self._answer
