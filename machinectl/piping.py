"""Programs whose output is taken as it comes, many side by side: one input for all of them, and one end."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

    # Is given what came, and whether it came on stderr; says whether that was all, whatever is still open.
    Hear = Callable[[bytes, bool], bool]

# How much is taken at once, in bytes: what a pipe of Linux holds (pipe(7)).
CHUNK = 1 << 16
# How long a program may take to end when it is told to, in seconds.
GRACE = 2.0


class Over:
    """Tells whoever waits, in any number of threads, that it is over: its descriptor can be read from then on."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._lock = threading.Lock()
        self.is_set = False

    def fileno(self) -> int:
        return self._reading

    def set(self) -> None:
        with self._lock:
            if not self.is_set:
                self.is_set = True
                # The end of a pipe is never read up.
                os.close(self._writing)


class Input:
    """What comes on a descriptor, for many: it is read once, as it comes, and whoever is fed gets all of it.

    It is kept in a file that has no name, as those that are fed are not equally fast, and some begin late.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._file: IO[bytes] | None = None
        self._length = 0
        self._ended = False

    def feed(self, write: Callable[[bytes], object]) -> None:
        """Write all of it, and return at its end. Raises what `write` raises."""
        self._begin()
        at = 0
        while data := self._after(at):
            write(data)
            at += len(data)

    def _begin(self) -> None:
        import tempfile

        with self._changed:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lasts as long as this does
                # Nobody waits for a terminal, or for whoever writes to a pipe, when this process ends.
                threading.Thread(target=self._read, args=(self._file.fileno(),), daemon=True).start()

    def _read(self, file: int) -> None:
        try:
            while data := os.read(self._descriptor, CHUNK):
                self._keep(file, data)
        except OSError:
            # A descriptor that cannot be read has nothing more; nor has one whose file cannot be kept.
            pass
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _keep(self, file: int, data: bytes) -> None:
        while data:
            written = os.pwrite(file, data, self._length)
            data = data[written:]
            with self._changed:
                self._length += written
                self._changed.notify_all()

    def _after(self, at: int) -> bytes:
        """Some of what follows, when it has come; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._length > at or self._ended)
            file = self._file
        return os.pread(file.fileno(), CHUNK, at) if file else b""


def piped(
    command: Sequence[str],
    hear: Hear,
    over: Over,
    *,
    data: bytes = b"",
    input: Input | None = None,  # noqa: A002 - subprocess.run's name for it
    environment: Mapping[str, str] | None = None,
    end: Callable[[subprocess.Popen[bytes]], object] = subprocess.Popen.terminate,
) -> int | None:
    """Run a program, pass on what it says as it comes, and return its exit status, below 0 for a signal's.

    It is given `data`, then the `input`. None where it was `over` before: `end` was to end it then, and is heard to its
    end for a moment, before it is killed. So it is where `hear` has heard all that it wants: 0. Raises OSError where it
    cannot be started.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE if data or input else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        # ^C is for us alone, who end what is to end.
        start_new_session=True,
    )
    try:
        feed(process, data, input)
        is_whole = listen(process, hear, over, end)
        if over.is_set:
            return None
        return process.wait() if is_whole else 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            stream.close()  # type: ignore[union-attr]  # each is a pipe


def feed(process: subprocess.Popen[bytes], data: bytes, given: Input | None) -> None:
    """Send all that is for a program, and its end, in a thread where that may take as long as the program.

    A program that ends before it has read it is no error.
    """
    stream = process.stdin
    if stream is None:
        return

    def write() -> None:
        with contextlib.suppress(OSError, ValueError), stream:
            write_all(stream.fileno(), data)
            if given:
                given.feed(lambda more: write_all(stream.fileno(), more))

    if given or len(data) > CHUNK // 2:
        threading.Thread(target=write, daemon=True).start()
    else:
        write()


def write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def listen(
    process: subprocess.Popen[bytes], hear: Hear, over: Over, end: Callable[[subprocess.Popen[bytes]], object]
) -> bool:
    """Pass on what a program says to its end; False where all was heard before, or it did not end when it was to."""
    deadline = None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, data=False)  # type: ignore[arg-type]  # it is a pipe
        selector.register(process.stderr, selectors.EVENT_READ, data=True)  # type: ignore[arg-type]
        selector.register(over, selectors.EVENT_READ)
        left = 2
        while left:
            ready = selector.select(None if deadline is None else max(0, deadline - time.monotonic()))
            if not ready or (deadline and time.monotonic() > deadline):
                return False
            for key, _ in ready:
                if key.fileobj is over:
                    selector.unregister(over)
                    end(process)
                    deadline = time.monotonic() + GRACE
                    continue
                said = os.read(key.fd, CHUNK)
                if not said:
                    selector.unregister(key.fileobj)
                    left -= 1
                elif hear(said, key.data):
                    return False
    return True
