"""Connect to the first of an engine's addresses that answers as the engine.

As in RFC 8305, the next address gets its turn if the ones before it are late. An address counts only after the TLS
handshake: another server gets neither a client certificate nor a request.
"""

from __future__ import annotations

import queue
import ssl
import threading
from collections import deque

from machinectl import url as engine_url
from machinectl.engine.dialling.tls import OTHER_CA, OTHER_NAMES
from machinectl.engine.endpoint import AnotherServer, EngineError, ForeignKey, UnclearServer
from machinectl.errors import DOCTOR, NO_HINT, Hint
from machinectl.state import State
from machinectl.value_classes import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeGuard

    from machinectl.engine.dialling.deadline_socket import Wire
    from machinectl.engine.endpoint import Deadline, Endpoint

    Dial = Callable[[Endpoint, Deadline], Wire]

# Seconds until the next address is tried, too: RFC 8305's Connection Attempt Delay, and the time of a login.
HEAD_START, SSH_HEAD_START = 0.25, 2.0


def dial_first(endpoint: Endpoint, deadline: Deadline, dial: Dial) -> Wire:
    """Connect with `dial`. Raises EngineError if no address answers."""
    race = Race(dial, deadline)
    tries = AddressTries(endpoint)
    try:
        while one := tries.next():
            race.start(one)
            while tries.under_way:
                try:
                    one, found = race.result(tries.patience)
                except queue.Empty:
                    break
                if not isinstance(found, Exception):
                    tries.succeed(one)
                    return found
                tries.fail(one, found)
                if tries.waiting:
                    break
    finally:
        race.end()
    raise tries.error()


class AddressTries:
    """Whose turn it is, and how the others failed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._memory = endpoint.memory
        urls = {engine_url.parse_url(url).host: url for url in (endpoint.url, *endpoint.others)}
        hosts = self._memory.in_order(list(urls)) if self._memory else list(urls)
        self.waiting = deque(replace(endpoint, url=urls[host], others=(), memory=None) for host in hosts)
        self.under_way = 0
        self._head_start = SSH_HEAD_START if endpoint.url.startswith("ssh://") else HEAD_START
        self._failures: list[Exception] = []
        # After another server answered: a hint for the machine's only address could lead to that one.
        self._hint = NO_HINT

    def next(self) -> Endpoint | None:
        if not self.waiting:
            return None
        self.under_way += 1
        return self.waiting.popleft()

    @property
    def patience(self) -> float | None:
        return self._head_start if self.waiting else None

    def succeed(self, one: Endpoint) -> None:
        if self._memory:
            self._memory.answered(engine_url.parse_url(one.url).host)

    def fail(self, one: Endpoint, failure: Exception) -> None:
        self.under_way -= 1
        if is_foreign(failure):
            if self._memory:
                self._memory.skipped(one.peer, foreign_reason(failure))
            if isinstance(failure, AnotherServer) or is_from_another_ca(failure):
                failure = at_address(failure, one)
                self._hint = failure.hint
        self._failures.append(failure)

    def error(self) -> Exception:
        """Return the most telling error, with the causes of all addresses."""
        known = [failure for failure in self._failures if isinstance(failure, EngineError)]
        if len(known) < len(self._failures):
            return next(failure for failure in self._failures if not isinstance(failure, EngineError))
        told = min(known, key=error_rank)
        told.cause = "; ".join(dict.fromkeys(failure.cause for failure in known))
        told.args = (told.cause,)
        if self._hint and not told.verified:
            told.hint, told.leads_to = self._hint, DOCTOR
        told.silent = all(failure.silent for failure in known)
        return told


def error_rank(failure: EngineError) -> int:
    """Return 0 for the most telling error. STOPPED comes next: callers wait for the engine to start."""
    if failure.verified:
        return 0
    order = {State.STOPPED: 1, State.TIMEOUT: 3}
    return 4 if failure.silent else order.get(failure.state, 2)


def is_foreign(failure: Exception) -> TypeGuard[EngineError]:
    """Return whether another server answered: TLS failed, or ssh refused the host's key."""
    if not isinstance(failure, EngineError) or failure.verified:
        return False
    cause = failure.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        # Others may be the engine's own: OpenSSL looks at the purpose and the key before the signature.
        return cause.verify_code in OTHER_CA | OTHER_NAMES
    by_tls = isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError)
    return by_tls or isinstance(failure, AnotherServer | ForeignKey)


def foreign_reason(failure: EngineError) -> str:
    """Return why the server is not the machine's."""
    # The error is written for the machine's only address, where such a certificate ends its use.
    return "its certificate is from another CA" if is_from_another_ca(failure) else failure.cause


def is_from_another_ca(failure: EngineError) -> bool:
    cause = failure.__cause__
    return isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in OTHER_CA


def at_address(failure: EngineError, one: Endpoint) -> EngineError:
    hint = Hint("See its addresses", "machinectl doctor", one.name)
    return UnclearServer(f"Another server answers at {one.peer}: {foreign_reason(failure)}", hint, failure.state)


class Race:
    """Threads that connect; those that come late close their connection."""

    def __init__(self, dial: Dial, deadline: Deadline) -> None:
        self._dial = dial
        self._deadline = deadline
        self._results: queue.SimpleQueue[tuple[Endpoint, Wire | Exception]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_over = False

    def start(self, one: Endpoint) -> None:
        try:
            threading.Thread(target=self._run, args=(one,), daemon=True, name=f"dial {one.peer}").start()
        except RuntimeError as exc:
            # The limit of threads: the caller reports it.
            self._results.put((one, exc))

    def result(self, seconds: float | None) -> tuple[Endpoint, Wire | Exception]:
        """Raises queue.Empty."""
        return self._results.get(timeout=seconds)

    def end(self) -> None:
        with self._lock:
            self._is_over = True
        while not self._results.empty():
            _, found = self._results.get()
            if not isinstance(found, Exception):
                found.close()

    def _run(self, one: Endpoint) -> None:
        found: Wire | Exception
        try:
            found = self._dial(one, self._deadline)
        except Exception as exc:  # noqa: BLE001 - the thread that waits raises it
            found = exc
        with self._lock:
            if not self._is_over:
                self._results.put((one, found))
                return
        if not isinstance(found, Exception):
            found.close()
