"""Draw `ls --watch` on the full screen. Loads rich: import it only to draw."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import rich.console
import rich.live
from rich.text import Text

from machinectl.cli.ending_signals import exiting_on_signals
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

# How often keys, the size of the terminal and what hosts answered are looked at. Seconds.
REDRAW = 0.1
QUIT_KEYS = set(b"qQ")
# On so few lines, machines are more important.
LEAST_FOR_HEADING = 3
# More than anybody types at once.
MANY = 4096


class Watched:
    """Watched machines: one thread queries them in rounds, another draws.

    A row stays until its host answers again. Replace `shown` only as a whole; `at` is when it was found.
    """

    def __init__(self, store: Store, filters: Filters, timeout: float, interval: float) -> None:
        self.store = store
        self.filters = filters
        self.timeout = timeout
        self.interval = interval
        self.over = threading.Event()
        self.error: Exception | None = None
        self.shown: Sequence[MachineRow] = ()
        self.at = time.time()

    def keep_asking(self) -> None:
        try:
            known: dict[str, MachineRow] = {}
            while not self.over.is_set():
                known = self.ask_once(known)
                self.over.wait(self.interval)
        except Exception as exc:  # noqa: BLE001 - the drawing thread raises it again
            self.error = exc

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
        self.shown = [
            row
            for row in known.values()
            if (self.filters.after_asking(row.state) if row.settled else not self.filters.needs_state)
        ]
        self.at = time.time()


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
        with exiting_on_signals():
            draw_until_quit(watched, layout)
    except KeyboardInterrupt:
        pass
    finally:
        watched.over.set()
    last = drawn_rows(watched.shown, layout, columns(sys.stdout))
    draw("".join(f"{line}\n" for row in last for line in row))


def draw_until_quit(watched: Watched, layout: RowFormat | None) -> None:
    """Draw until q is pressed. Raises the querying thread's exception."""
    screen = rich.console.Console(highlight=False)
    with keys_without_enter(), rich.live.Live(console=screen, screen=True, auto_refresh=False) as live:
        while not QUIT_KEYS & set(typed_keys()):
            if watched.error:
                raise watched.error
            # rich believes COLUMNS and LINES. The last column is for the cursor.
            screen.size = os.get_terminal_size(sys.stdout.fileno())
            lines = drawn_lines(watched, layout, max(screen.width - 1, 1), screen.height)
            picture = Text("\n", no_wrap=True, overflow="crop").join(map(Text.from_ansi, lines))
            live.update(picture, refresh=True)
            time.sleep(REDRAW)


def drawn_lines(watched: Watched, layout: RowFormat | None, width: int, height: int) -> list[str]:
    """Return when the hosts were asked, how to leave, and the rows that fit; a last line counts the others."""
    listed = watched.shown
    heading = []
    if height > LEAST_FOR_HEADING:
        clock = time.strftime("%H:%M:%S", time.localtime(watched.at))
        text = f"{clock}   every {watched.interval:g} s, q quits   {plural(len(listed), 'machine')}"
        heading = [coloured(shorten(text, width, sys.stdout), DIM, sys.stdout), ""]
    rows = drawn_rows(listed, layout, width)
    shown, room = list(rows), height - len(heading)
    if sum(map(len, rows)) > room:
        while sum(map(len, shown)) > room - 1:
            shown.pop()
        # The headings are no machine.
        hidden = min(len(rows) - len(shown), len(listed))
        more = f"{printed_sign(MORE, sys.stdout)} {hidden} more"
        shown.append([shorten(more, width, sys.stdout)])
    return [*heading, *(line for row in shown for line in row)]


def drawn_rows(listed: Sequence[MachineRow], layout: RowFormat | None, width: int) -> list[list[str]]:
    if layout is None:
        return fitted_machines(listed, width)
    text, unprintable = formatted(layout, listed)
    lines = [*text.splitlines(), *(error.cause for error in unprintable)]
    return [[shorten(harmless(line), width, sys.stdout)] for line in lines]


@contextmanager
def keys_without_enter() -> Iterator[None]:
    """Read keys without Enter or echo, and no ^Z; what was typed meanwhile is not for the shell."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    modes = termios.tcgetattr(sys.stdin)
    # A shell would draw over the screen of a stopped program.
    modes[6][termios.VSUSP] = b"\0"
    termios.tcsetattr(sys.stdin, termios.TCSANOW, modes)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, before)


def typed_keys() -> bytes:
    if not sys.stdin.isatty() or not select.select([sys.stdin], [], [], 0)[0]:
        return b""
    try:
        return os.read(sys.stdin.fileno(), MANY)
    except OSError:
        # The terminal is gone.
        return b""
