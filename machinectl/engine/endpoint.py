"""Engine endpoints, deadlines, results of connecting, and EngineError."""

from __future__ import annotations

import errno
import time

from machinectl import url as engine_url
from machinectl.errors import DOCTOR, IMPORT, NO_HINT, Hint, MachineError, one_line
from machinectl.state import State
from machinectl.value_classes import Frozen, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class AnsweredHosts(Protocol):
        """Remembers which host answered."""

        def in_order(self, hosts: Sequence[str]) -> list[str]: ...

        def answered(self, host: str) -> None: ...

        def skipped(self, place: str, cause: str) -> None: ...


# The host is off: its router says so, or ARP got no answer.
NOBODY_THERE = {errno.EHOSTUNREACH, errno.EHOSTDOWN}
# In seconds. After a lull, no more answers of other engines are expected.
GRACE, MOMENT, LULL = 4.0, 0.001, 1.0


def is_silence(exc: OSError) -> bool:
    """Return whether nobody answered. A refusal is an answer."""
    return isinstance(exc, TimeoutError) or exc.errno in NOBODY_THERE


class Endpoint(Frozen):
    """How to connect to an engine.

    `cert_dir` is absolute. For hints: `takeover` is the command that replaces a foreign CA, `setup` the one that lets
    the SSH user use the engine, or "". TCP may take this `connecting_share` of a deadline.

    `others` are further URLs of the same engine: the first that answers is used, and `memory` is told. `given_by` is
    who gave this computer access to somebody else's machine, or ""; `ask_again` are the commands that ask for it anew,
    `renewal` says how to get a new certificate.
    """

    url: str
    tls: bool = False
    cert_dir: str = ""
    ssh_options: tuple[str, ...] = ()
    name: str = "<NAME>"
    takeover: str = ""
    setup: str = ""
    connecting_share: float = 1.0
    others: tuple[str, ...] = ()
    memory: AnsweredHosts | None = field(default=None, compare=False, repr=False)
    given_by: str = ""
    ask_again: str = ""
    renewal: Hint = NO_HINT

    @property
    def peer(self) -> str:
        url = engine_url.parse_url(self.url)
        if url.scheme == "tcp":
            return engine_url.with_port(self.url, tls=self.tls).removeprefix("tcp://")
        return url.path or self.url


class EngineError(MachineError):
    """An engine is unreachable (`silent`: nobody answered), or its answer is invalid.

    `verified`: the machine's CA signed the certificate of the server that answered. `status` and `said` are the HTTP
    status and the words of an engine that refused a request.
    """

    silent = False
    verified = False
    status = 0
    said = ""

    def __init__(self, cause: str, hint: Hint = NO_HINT, state: State = State.ERROR) -> None:
        super().__init__(one_line(cause), hint)
        self.state = state


class ForeignKey(EngineError):
    """ssh does not trust the host's key."""


class UnclearServer(EngineError):
    """Only the host's SSH key tells whose server this is."""

    leads_to = DOCTOR


class NeedsCertificates(EngineError):
    """The client's certificate is missing, unusable or refused."""

    leads_to = IMPORT


class LastAnswer:
    """When the last of many engines answered (time.monotonic)."""

    last = float("-inf")


class Deadline:
    """An engine that takes the connection also has time while `others` answer: this computer may be busy."""

    def __init__(self, seconds: float | None, others: LastAnswer | None = None) -> None:
        self.seconds = seconds
        self.others = others
        self.end = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float | None:
        """Return the seconds left. Raises TimeoutError at the deadline."""
        if self.end is None:
            return None
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def patience(self) -> float | None:
        """Return the seconds to wait for data: what has arrived counts, although a busy computer reads it late.

        Raises TimeoutError GRACE seconds after the deadline.
        """
        now = time.monotonic()
        left = self.left(now)
        if self.others:
            left = max(left, self.others.last + LULL - now)
        if left <= -GRACE:
            raise TimeoutError
        return None if self.end is None else max(left, MOMENT)

    @property
    def is_over(self) -> bool:
        return self.patience() == MOMENT

    def left(self, now: float) -> float:
        """Return the seconds left at `now` (time.monotonic)."""
        return float("inf") if self.end is None else self.end - now

    def __str__(self) -> str:
        return f"{round(self.seconds or 0, 1):g} s"
