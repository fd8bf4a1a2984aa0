"""Work on many machines at once. Failures do not stop others."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from machinectl.console import SharedBoard
from machinectl.descriptors import fitting_jobs
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.hosts.machine_threads import Finished, MachineConsole, MachineThreads, Question
from machinectl.hosts.rollout_order import RolloutOrder, SimpleOrder
from machinectl.machines.record import natural
from machinectl.machines.selection import chosen, waiting
from machinectl.machines.store.last_failure import clear_failure, record_failure, record_interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from machinectl.console import Board, Console
    from machinectl.hosts.login import Login
    from machinectl.hosts.rollout_order import StartOrder
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store


# Ten engines downloaded at once (some 100 MB each) fill the uplink that hosts share, and a person can follow ten
# lines. This one process encrypts every machine's SSH session.
LIMIT = 10
# Descriptors per machine: its lock, a session and its command, the end signal, the engine, and a file.
DESCRIPTORS = 12

T = TypeVar("T")


def work_on_each(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    work: Callable[[Held, Console, Login], T],
) -> Iterator[tuple[str, T | MachineError]]:
    """Lock each machine and work on it; see `run_at_once`.

    Records failures. A password typed for one host goes to no other.
    """

    def one(name: str, console: Console) -> T:
        with locked_machine(store, console, name) as held:
            return work(held, console, login.for_one_host())

    return run_at_once(console, chosen(store, names), one)


def plan_each(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    plan: Callable[[Machine, Console, Login], T],
) -> Iterator[tuple[str, T | MachineError]]:
    """Plan for --dry-run: no locks, no writes."""

    def one(name: str, console: Console) -> T:
        return plan(store.read(name), console, login.for_one_host())

    return run_at_once(console, chosen(store, names), one)


@contextmanager
def locked_machine(store: Store, console: Console, name: str, busy: Callable[[], None] | None = None) -> Iterator[Held]:
    """Settle pending certificates first. Record a failure until the next success.

    While another process holds it, `busy` is called, which may raise; by default, it waits.
    """
    store.check_exists(name)
    with store.writing(name, busy or waiting(console, name)) as held:
        if store.is_unsettled(name):
            # Imported here: it loads TLS.
            from machinectl.hosts.identity import settle_pending_held

            settle_pending_held(held)
        try:
            yield held
        except MachineError as exc:
            record_failure(held, exc.cause)
            raise
        except KeyboardInterrupt:
            record_interruption(held)
            raise
        clear_failure(held)


def run_at_once(
    console: Console,
    names: Iterable[str],
    work: Callable[[str, Console], T],
    *,
    limit: int = LIMIT,
    order: StartOrder | None = None,
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
        yield from threads.results(order or SimpleOrder(wanted), fitting_jobs(min(limit, len(wanted)), DESCRIPTORS))


def run_and_catch(work: Callable[[str, Console], T], name: str, console: Console) -> T | MachineError:
    try:
        return work(name, console)
    except MachineError as exc:
        return exc


class WorkerThreads(MachineThreads["T | MachineError", "Callable[[], None]"], Generic[T]):
    """Finishes steps at ^C. Other events are calls for the caller's thread."""

    board: Board

    def __init__(self, console: Console, work: Callable[[str, Console], T], *, abandons: bool = False) -> None:
        super().__init__()
        self.console = console
        self.work = work
        self.abandons = abandons
        # Set when no further step may begin.
        self.over = threading.Event()
        # How often ^C came, and how often it may come before interrupting the caller's thread.
        self.interrupts = 0
        self.tolerated = sys.maxsize
        self.bug: BaseException | None = None

    def results(self, order: StartOrder, limit: int) -> Iterator[tuple[str, T | MachineError]]:
        try:
            while True:
                if not (self.interrupts or self.bug):
                    self.start_up_to(limit, order, self.job_of)
                if not self.running:
                    break
                ended = self.next_end()
                order.ended(ended.name, failed=ended.error is not None)
                if ended.crash is None:
                    with self.board.aside(), self.tolerating(1):
                        yield ended.name, cast("T | MachineError", ended.result)
        finally:
            self.finish()
        if self.bug:
            raise self.bug
        if self.interrupts:
            raise KeyboardInterrupt

    def job_of(self, name: str) -> Callable[[], T | MachineError]:
        return partial(run_and_catch, self.work, name, WorkerConsole(self.board.console(name), self))

    def next_end(self) -> Finished[T | MachineError]:
        """Wait for a machine to end; handle questions and ^C."""
        while not isinstance(event := self.next_event(), Finished):
            if isinstance(event, Question):
                self.put_question(event)
            elif event:
                event()
        self.running.discard(event.name)
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
        """Turn ^C into an event, which does not interrupt our own code."""
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
        self.interrupts += 2 if self.abandons else 1
        if self.interrupts > self.tolerated:
            raise KeyboardInterrupt
        self.events.put(self.stop)

    @contextmanager
    def tolerating(self, interrupts: int) -> Iterator[None]:
        """Let ^C interrupt here after more than `interrupts` times."""
        self.tolerated = interrupts
        try:
            yield
        finally:
            self.tolerated = sys.maxsize

    def stop(self) -> None:
        """Begin no further step. Raises KeyboardInterrupt at the second ^C."""
        if self.interrupts > 1:
            raise KeyboardInterrupt
        self.interrupts = 1
        self.over.set()
        if self.running:
            with self.board.aside():
                self.console.note("Finishing the steps under way; no other step begins. ^C again abandons them")

    def put_question(self, question: Question) -> None:
        if self.interrupts or self.bug:
            question.refuse()
            return
        try:
            with self.tolerating(0):
                question.put()
        except KeyboardInterrupt:
            self.stop()


class WorkerConsole(MachineConsole):
    """A line of the board. Steps end after ^C."""

    _threads: WorkerThreads[Any]

    def note(self, text: str, hint: Hint = NO_HINT) -> None:
        self._own.note(text, hint)

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        self._own.warn(text, hint)

    def step(self, title: str) -> AbstractContextManager[None]:
        if self._threads.over.is_set():
            raise KeyboardInterrupt
        return self._own.step(title)

    def pause(self, seconds: float) -> None:
        if self._threads.over.wait(seconds):
            raise KeyboardInterrupt

    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]:  # noqa: ARG002 (the contract's)
        return nullcontext(SharedBoard(self))


def work_in_turns(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    work: Callable[[Held, Console, Login, bool], T],
) -> Iterator[tuple[str, T | MachineError]]:
    """Lock each machine and work on it; yield each name with its result or error.

    `work` gets whether the engine may restart under containers now, and raises InUse if it must wait. After an engine
    that does not come up, no engine in use restarts.
    """
    from machinectl.provision.decision import EngineDown, InUse

    down: set[str] = set()

    def one(name: str, console: Console, *, in_use: bool) -> T:
        with locked_machine(store, console, name) as held:
            try:
                return work(held, console, login.for_one_host(), in_use)
            except EngineDown:
                down.add(name)
                raise

    later = []
    for name, result in run_at_once(console, names, partial(one, in_use=len(names) == 1)):
        if isinstance(result, InUse):
            later.append(name)
        else:
            yield name, result
    turns = RolloutOrder(later, rolled=later, counts=down.__contains__)
    is_stopped = bool(down)
    if not is_stopped:
        yield from run_at_once(console, later, partial(one, in_use=True), order=turns)
    for name in later if is_stopped else turns.stopped:
        yield name, MachineError(f'The engine of "{name}" was not restarted, because another one did not come up')
