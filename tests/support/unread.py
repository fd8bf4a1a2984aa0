"""stdout and stderr that cannot be written: their reader is gone, or the disk is full; real ones of the kernel."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from machinectl.cli import stdio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

BROKEN, FULL = "a broken pipe", "/dev/full"
KINDS = (BROKEN, FULL)


@contextmanager
def opened(kind: str) -> Iterator[IO[str]]:
    """What cannot be written to."""
    if kind == FULL:
        descriptor = os.open(FULL, os.O_WRONLY)
    else:
        reading, descriptor = os.pipe()
        os.close(reading)
    # It is never written to itself.
    with os.fdopen(descriptor, "w") as stream:
        yield stream


@contextmanager
def streams(out: str = "", err: str = "") -> Iterator[None]:
    """This process's streams as `open_streams` makes them, where a kind is given for one."""
    with ExitStack() as stack:
        context = stack.enter_context(pytest.MonkeyPatch.context())
        context.setattr(stdio, "streams", {})
        for name, kind in (("stdout", out), ("stderr", err)):
            if kind:
                context.setattr(sys, name, stdio.ours(name, stack.enter_context(opened(kind))))
        stdio.is_for(stdio.PRINTS)
        try:
            yield
        finally:
            # What is still buffered would go to whatever file has the descriptor's number next.
            stdio.is_for(stdio.WORKS)
            for name in stdio.streams:
                getattr(sys, name).flush()
