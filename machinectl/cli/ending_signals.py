"""Clean up child processes and files at SIGTERM and SIGHUP."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# timeout(1), init and CI send SIGTERM; a closed terminal sends SIGHUP.
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def exiting_on_signals() -> Iterator[None]:
    """Raise SystemExit with the shell's status at a signal, so that cleanup runs as at ^C.

    Ignored signals (nohup) stay ignored. Only for the main thread.
    """
    ours = [each for each in SIGNALS if signal.getsignal(each) is signal.SIG_DFL]
    for each in ours:
        signal.signal(each, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)
