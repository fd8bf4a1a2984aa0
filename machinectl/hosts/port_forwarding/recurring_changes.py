"""Show the ports of a container that starts again and again only a few times."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from machinectl.hosts.port_forwarding.distinct_warnings import DistinctWarnings

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.console import Console
    from machinectl.hosts.port_forwarding.open_ports import OpenPort
    from machinectl.hosts.port_forwarding.port_words import Wish

# Openings of a port within so many seconds. An engine waits up to a minute before it starts a container again.
MOST_SHOWN, RECENT = 5, 300.0


class RecurringChanges:
    """Decides which changes of ports to show; warns once when it hides those of a container."""

    def __init__(self, machine: str, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._machine = machine
        self._warnings = DistinctWarnings(console)
        self._clock = clock
        self._openings: dict[Wish, list[float]] = {}
        # Containers whose changes are not shown.
        self._hidden: set[str] = set()

    def note_change(self, port: OpenPort, *, opened: bool) -> bool:
        """Return whether to show it."""
        container, now = port.wish.container, self._clock()
        if not container:
            return True
        # A hostile host could name endless containers.
        kept = ((wish, [each for each in times if now - each < RECENT]) for wish, times in self._openings.items())
        self._openings = {wish: times for wish, times in kept if times}
        self._hidden.intersection_update({wish.container for wish in self._openings})
        times = self._openings.get(port.wish, [])
        if not opened:
            return container not in self._hidden or not times
        is_hidden = len(times) >= MOST_SHOWN
        self._openings[port.wish] = [*times[-MOST_SHOWN:], now]
        if not is_hidden:
            self._hidden.discard(container)
        else:
            self._hidden.add(container)
            self._warnings.warn(
                f"{container} starts again and again: its ports get no more lines\n"
                f"See why: machinectl docker {self._machine} -- logs {container}"
            )
        return not is_hidden
