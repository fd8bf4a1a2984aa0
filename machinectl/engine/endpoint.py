"""Engine endpoints, deadlines, and EngineError."""

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
    """How to connect to an engine.

    `cert_dir` is absolute. `takeover` is the command that replaces a foreign CA, or "", for hints. The first request
    uses `opened`.
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
        url = engine_url.parse_url(self.url)
        if url.scheme == "tcp":
            return engine_url.with_port(self.url, tls=self.tls).removeprefix("tcp://")
        return url.path or self.url


class EngineError(MachineError):
    """An engine is unreachable (`silent`: nobody answered), or its answer is invalid."""

    silent = False

    def __init__(self, cause: str, hint: str = "", state: State = State.ERROR) -> None:
        super().__init__(one_line(cause), hint)
        self.state = state


class Deadline:
    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.end = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float | None:
        """Return the seconds left. Raises TimeoutError at the deadline."""
        if self.end is None:
            return None
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def left(self, now: float) -> float:
        """Return the seconds left at `now` (time.monotonic)."""
        return float("inf") if self.end is None else self.end - now

    def extend(self, seconds: float) -> None:
        if self.end is not None:
            self.end += seconds

    def __str__(self) -> str:
        return f"{self.seconds:g} s"
