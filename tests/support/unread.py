"""Real stdout and stderr that cannot be written: the reader is gone, or the disk is full."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.catalogue import PRINTS, WORKS
from machinectl.cli.output import stdio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

BROKEN, FULL = "a broken pipe", "/dev/full"
KINDS = (BROKEN, FULL)


@contextmanager
def opened(kind: str) -> Iterator[IO[str]]:
    """The ways in which a stream cannot be written."""
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
    """Replace this process's streams, broken in the given way, as `open_streams` does."""
    with ExitStack() as stack:
        context = stack.enter_context(pytest.MonkeyPatch.context())
        context.setattr(stdio, "streams", {})
        for name, kind in (("stdout", out), ("stderr", err)):
            if kind:
                context.setattr(sys, name, stdio.wrap_stream(name, stack.enter_context(opened(kind))))
        stdio.set_output_kind(PRINTS)
        try:
            yield
        finally:
            # Buffered text would go to the next file with the same descriptor.
            stdio.set_output_kind(WORKS)
            for name in stdio.streams:
                getattr(sys, name).flush()
