"""Something that is done beside something else, and is not waited for longer than it is worth."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")


class Beside(Generic[Found]):
    """A look that begins at once, in a thread of its own, which nobody waits for when the process ends."""

    def __init__(self, look: Callable[[], Found]) -> None:
        self._look = look
        self._found: Found | None = None
        self._bug: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="beside")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = self._look()
        except Exception as exc:  # noqa: BLE001 - raised again by who waits
            self._bug = exc

    def found(self, timeout: float | None = None) -> Found | None:
        """What was found, None where it is not by then; `timeout` in seconds."""
        self._thread.join(timeout)
        if self._bug:
            raise self._bug
        return self._found
