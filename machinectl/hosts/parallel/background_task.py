"""Run a task in the background, and limit the wait."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")

# The delay in seconds until a ^C just before the wait is noticed.
HEARD_SECONDS = 0.2


class BackgroundTask(Generic[Found]):
    """Runs at once in a daemon thread."""

    def __init__(self, look: Callable[[], Found]) -> None:
        self._look = look
        self._found: Found | None = None
        self._bug: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="beside")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = self._look()
        except Exception as exc:  # noqa: BLE001 - found() raises it again
            self._bug = exc

    def found(self, timeout: float | None = None) -> Found | None:
        """Return the result, None after `timeout` seconds."""
        end = time.monotonic() + (timeout if timeout is not None else float("inf"))
        while self._thread.is_alive() and (left := end - time.monotonic()) > 0:
            self._thread.join(min(left, HEARD_SECONDS))
        if self._bug:
            raise self._bug
        return self._found
