"""Probe many engines in parallel. Waiting for a thread does not count against an engine's timeout."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from functools import partial

from machinectl import url as engine_url
from machinectl.descriptors import fitting_jobs
from machinectl.engine.dialling.connections import Connections
from machinectl.engine.dialling.sockets import resolve_endpoint
from machinectl.engine.endpoint import Deadline
from machinectl.engine.probe import Probe, failed_probe, probe_by
from machinectl.state import State
from machinectl.value_classes import Frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from machinectl.engine.dialling.connections import Connecting
    from machinectl.engine.dialling.sockets import Address
    from machinectl.engine.endpoint import Endpoint

    # Probes one engine. Yields a Wait to release its thread; returns the result.
    Course = Generator["Wait", None, Probe]
    Begin = Callable[["Asker"], Course]

# More threads would slow every answer on a busy computer. But an engine that accepts a connection and stays silent
# blocks one, so the pool doubles if no thread makes progress for STUCK x timeout.
THREADS = 32
MOST_THREADS = 512
STUCK = 1 / 4
# Seconds between checks for overdue engines.
LOOK = 0.25
# Limit of parallel probes, and file descriptors for each: two connections, three for ssh.
MOST_AT_ONCE = 1000
FILES_EACH = 5
# Seconds after a deadline in which the thread may still report the timeout itself.
GRACE = 0.25
NO_THREAD = Probe(
    State.ERROR, error="No more threads can be started here", hint="Ask fewer at once, or allow more: ulimit -u"
)
NOT_ASKED = Probe(
    State.NONE,
    error="Not asked: the ones before it gave no answer",
    hint="Ask fewer at once, or look at this computer's network",
    unasked=True,
)


class Wait(Frozen):
    """Resume when connecting ends, or after `seconds`."""

    connecting: Connecting
    seconds: float | None = None


class Asker:
    def __init__(self, timeout: float, connections: Connections) -> None:
        self.deadline = Deadline(timeout)
        self._connections = connections
        self._begun: list[Connecting] = []

    def connect(self, addresses: Sequence[Address], seconds: float, after: float = 0.0) -> Connecting:
        connecting = self._connections.begin(addresses, seconds, after)
        self._begun.append(connecting)
        return connecting

    def hurry(self, connecting: Connecting) -> None:
        self._connections.hurry(connecting)

    def reach(self, endpoint: Endpoint) -> Connecting | None:
        """Start connecting over TCP; return None for other URLs, or several. Raises EngineError."""
        url = engine_url.parse_url(endpoint.url)
        if url.scheme != "tcp" or endpoint.others:
            return None
        try:
            addresses = resolve_endpoint(endpoint, url, self.deadline)
            return self.connect(addresses, self.deadline.remaining() or 0)
        except TimeoutError:
            return None

    def close(self) -> None:
        for connecting in self._begun:
            self._connections.cancel(connecting)


def probe_all(endpoints: Mapping[str, Endpoint], timeout: float) -> Iterator[tuple[str, Probe]]:
    """Probe each engine for `timeout` seconds; yield results as they arrive."""

    def course(endpoint: Endpoint, asker: Asker) -> Course:
        if connecting := asker.reach(endpoint):
            yield Wait(connecting)
        return probe_by(replace(endpoint, opened=connecting), asker.deadline)

    courses = {name: partial(course, endpoint) for name, endpoint in endpoints.items()}
    return ask_all(courses, timeout, lambda name: endpoints[name].url)


def ask_all(courses: Mapping[str, Begin], timeout: float, place: Callable[[str], str]) -> Iterator[tuple[str, Probe]]:
    """Run courses like `probe_all`; skip queued ones if none answers for twice the timeout."""
    if not courses:
        return
    try:
        asking = Asking(courses, timeout)
    except RuntimeError:  # thread limit of the system or container
        yield from ((name, NO_THREAD) for name in courses)
        return
    try:
        yield from asking.answers(place)
    finally:
        asking.close()


class UnderWay:
    def __init__(self, name: str, begin: Begin, asker: Asker) -> None:
        self.name = name
        self.asker = asker
        self.course = begin(asker)
        # time.monotonic() when it started to wait for a thread.
        self.waits_since: float | None = None

    def go_on(self) -> None:
        if self.waits_since is not None:
            self.asker.deadline.extend(time.monotonic() - self.waits_since)
        self.waits_since = None

    def is_overdue(self, now: float) -> bool:
        return self.waits_since is None and self.asker.deadline.left(now) < -GRACE

    def ended(self, found: Probe) -> Probe:
        deadline = self.asker.deadline
        return replace(found, seconds=(deadline.seconds or 0) - deadline.left(time.monotonic()))


class Asking:
    """A thread pool. Raises RuntimeError if no thread can start."""

    def __init__(self, courses: Mapping[str, Begin], timeout: float) -> None:
        self._timeout = timeout
        # As many as the limit of open files allows.
        self._most = fitting_jobs(min(len(courses), MOST_AT_ONCE), FILES_EACH)
        self._most_threads = min(self._most, MOST_THREADS)
        self._changed = threading.Condition()
        self._names = list(courses)
        self._unasked = deque(courses.items())
        self._under_way: dict[str, UnderWay] = {}
        self._ready: deque[UnderWay] = deque()
        self._answers: queue.SimpleQueue[tuple[str, Probe]] = queue.SimpleQueue()
        self._threads = 0
        # time.monotonic() of the last progress.
        self._last_step = time.monotonic()
        self._is_over = False
        self._connections = Connections()
        self._add_threads(min(THREADS, len(courses)))
        if not self._threads:
            self._connections.close()
            raise RuntimeError

    def answers(self, place: Callable[[str], str]) -> Iterator[tuple[str, Probe]]:
        open_ones = set(self._names)
        answered = time.monotonic()
        look = answered + LOOK
        while open_ones:
            try:
                found = [self._answers.get(timeout=max(0.0, look - time.monotonic()))]
            except queue.Empty:
                now = time.monotonic()
                look = now + LOOK
                self._grow(now)
                found = [(name, self._no_answer(place(name))) for name in self._give_up_overdue(now)]
                if now > answered + 2 * self._timeout:
                    found += [(name, NOT_ASKED) for name in self._give_up_waiting()]
            for name, probe in found:
                # An overdue engine may still answer.
                if name in open_ones:
                    open_ones.remove(name)
                    if probe.state is not State.TIMEOUT:
                        answered = time.monotonic()
                    yield name, probe

    def close(self) -> None:
        """Stop. Blocked threads end after their current wait."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._connections.close()

    def _no_answer(self, place: str) -> Probe:
        return Probe(State.TIMEOUT, error=f"{place} does not answer within {self._timeout:g} s", seconds=self._timeout)

    def _add_threads(self, count: int) -> None:
        for _ in range(count):
            # Daemon threads do not delay exit.
            thread = threading.Thread(target=self._work, daemon=True, name="asking")
            try:
                thread.start()
            except RuntimeError:
                return
            self._threads += 1

    def _grow(self, now: float) -> None:
        with self._changed:
            more = len(self._ready) + min(len(self._unasked), self._most - len(self._under_way))
            if more <= 0 or now < self._last_step + STUCK * self._timeout:
                return
            self._last_step = now
        self._add_threads(min(more, self._threads, self._most_threads - self._threads))

    def _give_up_overdue(self, now: float) -> list[str]:
        with self._changed:
            names = [name for name, one in self._under_way.items() if one.is_overdue(now)]
            for name in names:
                del self._under_way[name]
            self._changed.notify_all()
        return names

    def _give_up_waiting(self) -> list[str]:
        with self._changed:
            names = [one.name for one in self._ready] + [name for name, _ in self._unasked]
            self._ready.clear()
            self._unasked.clear()
            self._changed.notify_all()
        return names

    def _work(self) -> None:
        while one := self._next():
            try:
                wait = next(one.course)
            except StopIteration as end:
                self._end(one, end.value)
            except Exception as exc:  # noqa: BLE001 - a bug with one host must not hide the others
                self._end(one, failed_probe(exc))
            else:
                self._last_step = time.monotonic()
                self._connections.call_back(wait.connecting, wait.seconds, partial(self._make_ready, one))

    def _next(self) -> UnderWay | None:
        with self._changed:
            while not self._is_over:
                if self._ready:
                    one = self._ready.popleft()
                    one.go_on()
                    return one
                if self._unasked and len(self._under_way) < self._most:
                    name, begin = self._unasked.popleft()
                    one = UnderWay(name, begin, Asker(self._timeout, self._connections))
                    self._under_way[name] = one
                    return one
                if not (self._unasked or self._under_way):
                    return None
                self._changed.wait()
        return None

    def _make_ready(self, one: UnderWay) -> None:
        one.waits_since = time.monotonic()
        with self._changed:
            self._ready.append(one)
            self._changed.notify()

    def _end(self, one: UnderWay, found: Probe) -> None:
        one.asker.close()
        with self._changed:
            self._last_step = time.monotonic()
            self._under_way.pop(one.name, None)
            # Without work left, wake all threads to end them.
            self._changed.notify(1 if self._unasked or self._under_way else self._threads)
        self._answers.put((one.name, one.ended(found)))
