"""SIGTERM and SIGHUP, where ending takes more than to be gone: programs that would go on, files that would stay."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# timeout(1), an init and what cancels a job in CI send the one, a terminal that is closed the other.
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def leaving_when_told() -> Iterator[None]:
    """Leave what is within as ^C has it left, by SystemExit with the shell's status for the signal.

    One that is ignored, as nohup has it, stays ignored. For the main thread alone.
    """
    ours = [each for each in SIGNALS if signal.getsignal(each) is signal.SIG_DFL]
    for each in ours:
        signal.signal(each, leave)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)


def leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
