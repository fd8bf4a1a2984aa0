"""Clean up child processes and files at SIGTERM and SIGHUP."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# timeout(1), init and CI send SIGTERM; a closed terminal sends SIGHUP.
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def exiting_on_signals() -> Iterator[None]:
    """Raise SystemExit with the shell's status at a signal, so that cleanup runs as at ^C.

    Ignored signals (nohup) stay ignored. Only for the main thread.
    """
    ours = [each for each in SIGNALS if signal.getsignal(each) is signal.SIG_DFL]
    for each in ours:
        signal.signal(each, exit_on_signal)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)


def exit_on_signal(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
