"""Connect to the first of an engine's addresses that answers as the engine: in order, the one that answered last first.

An address counts only after the TLS handshake: another server gets neither a client certificate nor a request.
"""

from __future__ import annotations

import ssl
import time
from collections import deque

from machinectl import url as engine_url
from machinectl.engine.endpoint import Deadline, EngineError, ForeignKey, UnclearServer
from machinectl.engine.tls import OTHER_CA, OTHER_NAMES
from machinectl.errors import DOCTOR, NO_HINT, Hint
from machinectl.state import State
from machinectl.value_classes import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeGuard

    from machinectl.engine.endpoint import Endpoint
    from machinectl.engine.wire import Wire

    Dial = Callable[[Endpoint, Deadline], Wire]

# Seconds for an address while others are left.
PATIENCE = 3.0


def dial_first(endpoint: Endpoint, deadline: Deadline, dial: Dial) -> Wire:
    """Connect with `dial`. Raises EngineError if no address answers."""
    tries = AddressTries(endpoint)
    while one := tries.next():
        try:
            wire = dial(one, tries.share(deadline))
        except EngineError as exc:
            tries.fail(one, exc)
        else:
            tries.succeed(one)
            wire.deadline = deadline
            return wire
    raise tries.error()


class AddressTries:
    """Whose turn it is, and how the others failed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._memory = endpoint.memory
        urls = {engine_url.parse_url(url).host: url for url in (endpoint.url, *endpoint.others)}
        hosts = self._memory.in_order(list(urls)) if self._memory else list(urls)
        self._waiting = deque(replace(endpoint, url=urls[host], others=(), memory=None) for host in hosts)
        self._failures: list[EngineError] = []
        # After another server answered: a hint for the machine's only address could lead to that one.
        self._hint = NO_HINT

    def next(self) -> Endpoint | None:
        return self._waiting.popleft() if self._waiting else None

    def share(self, deadline: Deadline) -> Deadline:
        """Return the time for this address, so that each has some."""
        if not self._waiting:
            return deadline
        left = deadline.left(time.monotonic())
        return Deadline(min(left / (len(self._waiting) + 1), PATIENCE), deadline.others)

    def succeed(self, one: Endpoint) -> None:
        if self._memory:
            self._memory.answered(engine_url.parse_url(one.url).host)

    def fail(self, one: Endpoint, failure: EngineError) -> None:
        if is_foreign(failure):
            if self._memory:
                self._memory.skipped(one.peer, foreign_reason(failure))
            if is_from_another_ca(failure):
                self._hint = Hint("See its addresses", "machinectl doctor", one.name)
                cause = f"Another server answers at {one.peer}: {foreign_reason(failure)}"
                failure = UnclearServer(cause, self._hint, failure.state)
        self._failures.append(failure)

    def error(self) -> EngineError:
        """Return the most telling error, with the causes of all addresses."""
        told = min(self._failures, key=error_rank)
        told.cause = "; ".join(dict.fromkeys(failure.cause for failure in self._failures))
        told.args = (told.cause,)
        if self._hint and not told.verified:
            told.hint, told.leads_to = self._hint, DOCTOR
        told.silent = all(failure.silent for failure in self._failures)
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
    return by_tls or isinstance(failure, ForeignKey)


def foreign_reason(failure: EngineError) -> str:
    """Return why the server is not the machine's."""
    # The error is written for the machine's only address, where such a certificate ends its use.
    return "its certificate is from another CA" if is_from_another_ca(failure) else failure.cause


def is_from_another_ca(failure: EngineError) -> bool:
    cause = failure.__cause__
    return isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in OTHER_CA
