"""Connect to the first of an engine's addresses that answers as the engine: in order, the one that answered last first.

An address counts only after the TLS handshake: another server gets neither a client certificate nor a request.
"""

from __future__ import annotations

import ssl
import time

from machinectl import url as engine_url
from machinectl.engine.endpoint import Deadline, EngineError, ForeignKey, UnclearServer
from machinectl.engine.tls import OTHER_CA, OTHER_NAMES
from machinectl.errors import DOCTOR, NO_HINT, Hint
from machinectl.state import State
from machinectl.value_classes import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeGuard, TypeVar

    from machinectl.engine.endpoint import Endpoint

    Connection = TypeVar("Connection")

# Seconds for an address while others are left.
PATIENCE = 3.0


def dial_first(endpoint: Endpoint, deadline: Deadline, dial: Callable[[Endpoint, Deadline], Connection]) -> Connection:
    """Connect with `dial`. Raises EngineError if no address answers: the most telling error, with all causes."""
    memory, failures = endpoint.memory, list[EngineError]()
    urls = {engine_url.parse_url(url).host: url for url in (endpoint.url, *endpoint.others)}
    hosts = memory.in_order(list(urls)) if memory else list(urls)
    # After another server answered: a hint for the machine's only address could lead to that one.
    hint = NO_HINT
    for at, host in enumerate(hosts):
        address = replace(endpoint, url=urls[host], others=(), memory=None)
        share, left = deadline, len(hosts) - at
        if left > 1:
            share = Deadline(min(deadline.left(time.monotonic()) / left, PATIENCE), deadline.others)
        try:
            connection = dial(address, share)
        except EngineError as exc:
            failure: EngineError = exc
            if memory and is_foreign(failure):
                memory.skipped(address.peer, foreign_reason(failure))
            if is_from_another_ca(failure) and not failure.verified:
                hint = Hint("See its addresses", "machinectl doctor", endpoint.name)
                cause = f"Another server answers at {address.peer}: {foreign_reason(failure)}"
                failure = UnclearServer(cause, hint, failure.state)
            failures.append(failure)
        else:
            if memory:
                memory.answered(host)
            return connection
    told = min(failures, key=error_rank)
    told.cause = "; ".join(dict.fromkeys(failure.cause for failure in failures))
    told.args = (told.cause,)
    if hint and not told.verified:
        told.hint, told.leads_to = hint, DOCTOR
    told.silent = all(failure.silent for failure in failures)
    raise told


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
