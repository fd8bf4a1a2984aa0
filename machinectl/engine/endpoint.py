"""An engine's endpoint, the deadline of a request, and the error of an engine that cannot be reached."""

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
    """An engine's URL and how to connect to it.

    `cert_dir` is the absolute directory of ca.pem, cert.pem and key.pem, used if `tls` is set. `ssh_options` are passed
    to ssh before the host. `name` is the machine's, for the commands that errors suggest. `takeover` is the command
    that makes the engine take our certificates instead of somebody else's, "" if there is none. `opened` is a
    connection made in advance; the first request uses it.
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
        """The other end for people: host:port, a socket's path, or ssh://user@host."""
        url = engine_url.parse(self.url)
        if url.scheme == "tcp":
            return engine_url.with_port(self.url, tls=self.tls).removeprefix("tcp://")
        return url.path or self.url


class EngineError(MachineError):
    """An engine could not be reached or understood. `state` is the machine's state then.

    `silent` is true if nobody answered at its address at all.
    """

    silent = False

    def __init__(self, cause: str, hint: str = "", state: State = State.ERROR) -> None:
        super().__init__(one_line(cause), hint)
        self.state = state


class Deadline:
    """A deadline, `seconds` from now; None means none."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.end = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float | None:
        """Return the seconds left, for socket.settimeout. Raises TimeoutError if none are left."""
        if self.end is None:
            return None
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def left(self, now: float) -> float:
        """Return the seconds left at a time (time.monotonic), negative if it has passed."""
        return float("inf") if self.end is None else self.end - now

    def extend(self, seconds: float) -> None:
        """Give more time, for a wait that the engine did not cause."""
        if self.end is not None:
            self.end += seconds

    def __str__(self) -> str:
        return f"{self.seconds:g} s"
