"""Where an engine is, the time it is given, and what is said when it cannot be reached."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.errors import MachineError, one_line
from machinectl.state import State

if TYPE_CHECKING:
    from machinectl.engine.connect_result import Opened


@dataclass(frozen=True)
class Endpoint:
    """Where an engine is and how it is spoken to.

    `cert_dir` is the absolute directory of ca.pem, cert.pem and key.pem; it is used where `tls` is set. `ssh_options`
    are handed to ssh as they are, before the host (`-i KEY`, `-o UserKnownHostsFile=…`). `name` is the machine's: it
    stands in the commands that errors suggest. `takeover` is the one that has the engine take our certificates, where
    it has somebody else's; "" where there is none. `opened` is what came of connecting to it beforehand: the first
    connection is that one.
    """

    url: str
    tls: bool = False
    cert_dir: str = ""
    ssh_options: tuple[str, ...] = ()
    name: str = "<NAME>"
    takeover: str = ""
    opened: Opened | None = field(default=None, compare=False, repr=False)

    @property
    def peer(self) -> str:
        """The other end as people name it: host:port, a socket's path, or ssh://user@host."""
        url = engine_url.parse(self.url)
        if url.scheme == "tcp":
            return engine_url.with_port(self.url, tls=self.tls).removeprefix("tcp://")
        return url.path or self.url


class EngineError(MachineError):
    """An engine could not be reached or understood. `state` is what that says about its machine.

    `silent` where nobody answered at its address at all.
    """

    silent = False

    def __init__(self, cause: str, hint: str = "", state: State = State.ERROR) -> None:
        super().__init__(one_line(cause), hint)
        self.state = state


class Deadline:
    """The moment by which something must be done, `seconds` from now; None is never."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.end = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float | None:
        """Seconds left, as socket.settimeout takes them. Raises TimeoutError where there are none."""
        if self.end is None:
            return None
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def left(self, now: float) -> float:
        """Seconds left at some time (time.monotonic), below 0 where it has passed."""
        return float("inf") if self.end is None else self.end - now

    def extend(self, seconds: float) -> None:
        """Give that much more time: what was waited for was not the engine."""
        if self.end is not None:
            self.end += seconds

    def __str__(self) -> str:
        return f"{self.seconds:g} s"
