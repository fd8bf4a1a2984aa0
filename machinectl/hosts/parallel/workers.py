"""Something that is done on many machines: at once up to a limit, and one that fails stops nobody else."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from machinectl.console import SharedBoard
from machinectl.descriptors import fitting_jobs
from machinectl.errors import MachineError
from machinectl.hosts.parallel.rollout_order import SimpleOrder
from machinectl.machines.record import natural
from machinectl.machines.selection import chosen, waiting
from machinectl.machines.store.last_failure import clear_failure, record_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from machinectl.console import Board, Console
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.parallel.rollout_order import StartOrder
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

    Work = Callable[[str, Console], None]

Answer = TypeVar("Answer")

# Ten engines that are fetched at once (some 100 MB each) fill the uplink that hosts share, and ten lines are what a
# person can follow. Each is also an SSH session, whose ciphers all run in this one process.
LIMIT = 10
# Descriptors per machine: its lock, a session and its command, the end signal, the engine, and a file.
DESCRIPTORS = 12
# A signal that comes while the main thread is on its way into waiting does not end the wait: how late it is heard then.
HEARD_SECONDS = 0.2


def work_on_each(
    store: Store,
    console: Console,
    names: Sequence[str],
    access: Access,
    work: Callable[[Held, Console, Access], None],
) -> Iterator[tuple[str, MachineError | None]]:
    """Do something with each of the machines chosen, while it is held; see `at_once`.

    `work` gets the machine, its console, and its own access: a password typed for one host goes to no other. A failure
    is recorded.
    """

    def one(name: str, console: Console) -> None:
        with locked_machine(store, console, name) as held:
            work(held, console, access.for_one_host())

    return run_at_once(console, chosen(store, names), one)


def plan_each(
    store: Store,
    console: Console,
    names: Sequence[str],
    access: Access,
    plan: Callable[[Machine, Console, Access], None],
) -> Iterator[tuple[str, MachineError | None]]:
    """Plan something for each of the machines chosen, for --dry-run: without locks, waiting or writing."""

    def one(name: str, console: Console) -> None:
        plan(store.read(name), console, access.for_one_host())

    return run_at_once(console, chosen(store, names), one)


@contextmanager
def locked_machine(store: Store, console: Console, name: str) -> Iterator[Held]:
    """Hold a machine that is there, with the certificates that its engine serves; see `each`.

    A failure is recorded, and removed from the record by the next success.
    """
    store.check_exists(name)
    with store.writing(name, waiting(console, name)) as held:
        if store.is_unsettled(name):
            # It asks the engine over TLS, which is loaded for those that are in doubt.
            from machinectl.hosts.certificates.pending import settle_pending_held

            settle_pending_held(held)
        try:
            yield held
        except MachineError as exc:
            record_failure(held, exc.cause)
            raise
        clear_failure(held)


def run_at_once(
    console: Console, names: Iterable[str], work: Work, *, limit: int = LIMIT, turns: StartOrder | None = None
) -> Generator[tuple[str, MachineError | None], None, None]:
    """Do `work(name, console)` for each machine; yield each when it has ended, with the reason why it failed, or None.

    They begin in one order, however they are named, or as `turns` has it, which may let some of them never begin; at
    most `limit` of them are at work at once, in threads. The caller's thread puts their questions, one after the other,
    and the screen is the caller's while it has what was yielded: to print, and no longer. One name alone is worked on
    right here, on the console as it is.

    ^C begins no more machines and lets those at work finish the step that each is in: the next step, question or pause
    raises KeyboardInterrupt there. What has ended is still yielded, and in the end KeyboardInterrupt is raised; a
    machine that was not finished is not yielded. A second ^C raises it at once: what is under way ends where the
    process does. A caller that leaves, by `close()` or an exception of its own, waits in the same way for the steps
    under way. So does a bug, an exception that is no MachineError, before it is raised.
    """
    wanted = sorted(set(names), key=lambda name: (natural(name), name))
    if len(wanted) <= 1:
        for name in wanted:
            yield name, run_and_catch(work, name, console)
        return
    crew = WorkerThreads(console, work)
    with crew.hearing(), console.board(wanted) as crew.board:
        yield from crew.results(turns or SimpleOrder(wanted), fitting_jobs(min(limit, len(wanted)), DESCRIPTORS))


def run_and_catch(work: Work, name: str, console: Console) -> MachineError | None:
    try:
        work(name, console)
    except MachineError as exc:
        return exc
    return None


@dataclass(frozen=True)
class WorkEnded:
    """A machine's work has ended: as it should (None), with a MachineError, by KeyboardInterrupt, or with a bug."""

    name: str
    why: BaseException | None


class WorkerThreads:
    """The threads that are at work, and the one that speaks for them: the caller's, which alone hears ^C."""

    board: Board

    def __init__(self, console: Console, work: Work) -> None:
        self.console = console
        self.work = work
        self.at_work: set[str] = set()
        # What the caller's thread has to do: take note of an end, or something that it is called for.
        self.events: SimpleQueue[WorkEnded | Callable[[], None]] = SimpleQueue()
        # Set where no step shall begin any more.
        self.over = threading.Event()
        # How often ^C was heard, and how often it does not break into what the caller's thread is doing.
        self.interrupts = 0
        self.borne = sys.maxsize
        self.bug: BaseException | None = None

    def results(self, turns: StartOrder, limit: int) -> Iterator[tuple[str, MachineError | None]]:
        try:
            while True:
                while len(self.at_work) < limit and not (self.interrupts or self.bug) and (name := turns.take()):
                    self.begin(name)
                if not self.at_work:
                    break
                ended = self.next_end()
                turns.ended(ended.name, failed=ended.why is not None)
                if ended.why is None or isinstance(ended.why, MachineError):
                    with self.board.aside(), self.bearing(1):
                        yield ended.name, ended.why
        finally:
            self.finish()
        if self.bug:
            raise self.bug
        if self.interrupts:
            raise KeyboardInterrupt

    def begin(self, name: str) -> None:
        console = WorkerConsole(self.board.console(name), self)
        # Nobody waits for a daemon when the process ends: that is what a second ^C is for.
        threading.Thread(target=self.run, args=(name, console), name=name, daemon=True).start()
        self.at_work.add(name)

    def run(self, name: str, console: Console) -> None:
        """The thread of one machine."""
        try:
            why: BaseException | None = run_and_catch(self.work, name, console)
        except BaseException as exc:  # noqa: BLE001 - raised again by the caller's thread
            why = exc
        self.events.put(WorkEnded(name, why))

    def next_end(self) -> WorkEnded:
        """Wait until a machine's work has ended, and put the questions that come up before that."""
        while not isinstance(event := self.next_event(), WorkEnded):
            event()
        self.at_work.discard(event.name)
        self.board.done(event.name, event.why)
        expected = (MachineError, KeyboardInterrupt) if self.over.is_set() else MachineError
        if event.why is not None and not isinstance(event.why, expected):
            self.bug = event.why
            self.over.set()
        return event

    def next_event(self) -> WorkEnded | Callable[[], None]:
        while True:
            try:
                return self.events.get(timeout=HEARD_SECONDS)
            except Empty:
                continue

    def finish(self) -> None:
        """Wait for the steps under way, where the caller has gone, or something went wrong here."""
        if self.at_work and not self.interrupts:
            self.stop()
        while self.at_work and self.interrupts == 1:
            self.next_end()

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """Take ^C for one event more, wherever the main thread is just then: it breaks into nothing of ours."""
        mine = threading.current_thread() is threading.main_thread()
        # Where it is ignored (nohup), or somebody else's, it stays so.
        if not mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self.interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupted(self, *_: object) -> None:
        """Handle the signal; of what takes a lock only a SimpleQueue may be touched here, which is made for it."""
        self.interrupts += 1
        if self.interrupts > self.borne:
            raise KeyboardInterrupt
        self.events.put(self.heed)

    @contextmanager
    def bearing(self, interrupts: int) -> Iterator[None]:
        """Let ^C break into what somebody else does in this thread, when it was heard more often than that."""
        self.borne = interrupts
        try:
            yield
        finally:
            self.borne = sys.maxsize

    def heed(self) -> None:
        if self.interrupts > 1:
            raise KeyboardInterrupt
        self.stop()

    def stop(self) -> None:
        """Let no step begin any more, and tell the person what is still waited for."""
        self.interrupts = self.interrupts or 1
        self.over.set()
        if self.at_work:
            with self.board.aside():
                self.console.note("The steps under way are being finished, no other is begun; ^C again leaves them")

    def go_on(self) -> None:
        """Raise KeyboardInterrupt, in a machine's thread, where it shall go no further."""
        if self.over.is_set():
            raise KeyboardInterrupt

    def answered(self, ask: Callable[[], Answer]) -> Answer:
        """Have a machine's question put by the caller's thread, and wait for the answer."""
        from concurrent.futures import Future

        answer: Future[Answer] = Future()
        self.events.put(partial(self.put, ask, answer))
        return answer.result()

    def put(self, ask: Callable[[], Answer], answer: Future[Answer]) -> None:
        if self.interrupts or self.bug:
            answer.set_exception(KeyboardInterrupt())
            return
        try:
            with self.bearing(0):
                given = ask()
        except KeyboardInterrupt as exc:
            self.stop()
            answer.set_exception(exc)
        except Exception as exc:  # noqa: BLE001 - raised again by the machine's thread
            answer.set_exception(exc)
        else:
            answer.set_result(given)


class WorkerConsole:
    """The console of a machine among others: it asks through the caller's thread, and ends where the crew ends."""

    def __init__(self, own: Console, crew: WorkerThreads) -> None:
        self._own = own
        self._crew = crew

    @property
    def interactive(self) -> bool:
        return self._own.interactive

    def note(self, text: str) -> None:
        self._own.note(text)

    def warn(self, text: str) -> None:
        self._own.warn(text)

    def step(self, title: str) -> AbstractContextManager[None]:
        self._crew.go_on()
        return self._own.step(title)

    def ask(self, question: str, *, secret: bool = False) -> str:
        return self._crew.answered(lambda: self._own.ask(question, secret=secret))

    def confirm(self, question: str) -> bool:
        return self._crew.answered(lambda: self._own.confirm(question))

    def pause(self, seconds: float) -> None:
        if self._crew.over.wait(seconds):
            raise KeyboardInterrupt

    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]:  # noqa: ARG002 (the contract's)
        return nullcontext(SharedBoard(self))
