"""Draw `ls --watch` on the full screen."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from machinectl.cli.output.screen import Screen
from machinectl.cli.output.stdout import draw
from machinectl.cli.output.style import DIM, MORE, coloured, columns, harmless, is_drawn_on, printed_sign, shorten
from machinectl.cli.tables.machine_rows import MachineRow, machine_rows, parse_filters, query_rows
from machinectl.cli.tables.machine_table import fitted_machines, formatted, parse_row_format
from machinectl.errors import Hint, UsageError
from machinectl.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from machinectl.cli.tables.machine_rows import Filters
    from machinectl.cli.tables.text_table import RowFormat
    from machinectl.machines.store import Store

# Signals that arrive just before a wait do not end it, nor do keys: this limits the delay. Seconds.
HEARD_SECONDS = 0.2
QUIT_KEYS = set(b"qQ")
# On so few lines, machines are more important.
LEAST_FOR_HEADING = 3


class Event(Enum):
    CHANGED = auto()
    SUSPEND = auto()
    TERMINATE = auto()
    QUIT = auto()


# Signals from the terminal, or from a program that ends this one; not all systems have all of them.
SIGNALS = {"SIGWINCH": Event.CHANGED, "SIGTSTP": Event.SUSPEND, "SIGTERM": Event.TERMINATE}


@dataclass
class Watched:
    """Watched machines: one thread queries them in rounds, another draws.

    A row stays until its host answers again. Replace `shown` only as a whole.
    """

    store: Store
    filters: Filters
    timeout: float
    interval: float
    events: SimpleQueue[Event | Exception] = field(default_factory=SimpleQueue)
    over: threading.Event = field(default_factory=threading.Event)
    shown: Sequence[MachineRow] = ()
    # When `shown` was found.
    at: float = 0.0

    def keep_asking(self) -> None:
        try:
            known: dict[str, MachineRow] = {}
            while not self.over.is_set():
                known = self.ask_once(known)
                self.over.wait(self.interval)
        except Exception as exc:  # noqa: BLE001 - the drawing thread raises it again
            self.events.put(exc)

    def ask_once(self, before: dict[str, MachineRow]) -> dict[str, MachineRow]:
        fresh = [row for row in machine_rows(self.store, os.environ) if self.filters.before_asking(row.machine)]
        known = {
            (name := row.machine.name): row if row.settled or name not in before else before[name] for row in fresh
        }
        self.publish(known)
        for row in query_rows(self.store, fresh, self.timeout):
            known[row.machine.name] = row
            self.publish(known)
        return known

    def publish(self, known: dict[str, MachineRow]) -> None:
        self.shown, self.at = [row for row in known.values() if self.passes(row)], time.time()
        self.events.put(Event.CHANGED)

    def passes(self, row: MachineRow) -> bool:
        return self.filters.after_asking(row.state) if row.settled else not self.filters.needs_state

    def next_events(self, screen: Screen) -> set[Event]:
        """Wait; return all queued events. Raises the querying thread's exception."""
        found: set[Event] = set()
        while not (found and self.events.empty()):
            if QUIT_KEYS & set(screen.typed()):
                return {Event.QUIT}
            try:
                event = self.events.get(timeout=HEARD_SECONDS)
            except Empty:
                continue
            if isinstance(event, Exception):
                raise event
            found.add(event)
        return found


def watch_machines(
    store: Store,
    *,
    filters: Sequence[str],
    only: Collection[str] | None = None,
    timeout: float,
    template: str,
    interval: float,
) -> None:
    """Draw the table until q or ^C, then print its last state. Times are in seconds.

    Raises UsageError if stdout is not a terminal with cursor control.
    """
    if not is_drawn_on(sys.stdout):
        raise UsageError(
            "--watch draws on a terminal, and stdout is none that can be drawn on", Hint("", "machinectl ls")
        )
    layout = parse_row_format(template) if template else None
    watched = Watched(store, parse_filters(filters, only), timeout, interval)
    threading.Thread(target=watched.keep_asking, daemon=True, name="watch").start()
    try:
        with signals_as_events(watched), Screen() as screen:
            keep_drawing(screen, watched, layout)
    except KeyboardInterrupt:
        pass
    finally:
        watched.over.set()
    last = drawn_rows(watched.shown, layout, columns(sys.stdout))
    draw("".join(f"{line}\n" for row in last for line in row))


def keep_drawing(screen: Screen, watched: Watched, layout: RowFormat | None) -> None:
    while True:
        events = watched.next_events(screen)
        if Event.QUIT in events:
            return
        if Event.TERMINATE in events:
            raise SystemExit(128 + signal.SIGTERM)
        if Event.SUSPEND in events:
            screen.suspend()
        width, height = screen.size()
        listed, at = watched.shown, watched.at
        heading = heading_lines(listed, at, watched.interval, width) if height > LEAST_FOR_HEADING else []
        rows = drawn_rows(listed, layout, width)
        screen.show([*heading, *fitting_lines(listed, rows, width, height - len(heading))])


def drawn_rows(listed: Sequence[MachineRow], layout: RowFormat | None, width: int) -> list[list[str]]:
    if layout is None:
        return fitted_machines(listed, width)
    text, unprintable = formatted(layout, listed)
    lines = [*text.splitlines(), *(error.cause for error in unprintable)]
    return [[shorten(harmless(line), width, sys.stdout)] for line in lines]


def heading_lines(listed: Sequence[MachineRow], at: float, interval: float, width: int) -> list[str]:
    """Return when the hosts were asked, how to leave, and how many are in which state."""
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    text = f"{clock}   every {interval:g} s, q quits   {plural(len(listed), 'machine')}"
    text += f": {counted_states(listed)}" if listed else ""
    return [coloured(shorten(text, width, sys.stdout), DIM, sys.stdout), ""]


def counted_states(listed: Sequence[MachineRow]) -> str:
    states = Counter(str(row.state) or "not asked yet" for row in listed)
    return ", ".join(f"{count} {state}" for state, count in states.items())


def fitting_lines(listed: Sequence[MachineRow], rows: Sequence[Sequence[str]], width: int, height: int) -> list[str]:
    """Return the lines of rows that fit; if some do not, the last line counts them."""
    if sum(map(len, rows)) > height:
        shown = list(rows)
        while sum(map(len, shown)) > height - 1:
            shown.pop()
        # The headings are no machine.
        hidden = min(len(rows) - len(shown), len(listed))
        more = f"{printed_sign(MORE, sys.stdout)} {hidden} more: {counted_states(listed[-hidden:])}"
        rows = [*shown, [shorten(more, width, sys.stdout)]]
    return [line for row in rows for line in row]


@contextmanager
def signals_as_events(watched: Watched) -> Iterator[None]:
    """Turn signals into events: a handler can safely do little else."""
    heard = {number: event for name, event in SIGNALS.items() if (number := getattr(signal, name, None))}
    before = {number: signal.getsignal(number) for number in heard}
    # Keep ignored signals ignored (nohup, a shell without job control).
    taken = {number: event for number, event in heard.items() if before[number] is not signal.SIG_IGN}
    for number, event in taken.items():
        signal.signal(number, lambda *_, event=event: watched.events.put(event))
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])
