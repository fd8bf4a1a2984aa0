"""Run programs side by side: pass on their output as it comes, feed all of them one input, stop them together."""

from __future__ import annotations

import contextlib
import math
import os
import select
import selectors
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

    # Takes output and whether it came on stderr.
    WriteOutput = Callable[[bytes, bool], None]
    # The same; returns whether no more output is wanted.
    HandleOutput = Callable[[bytes, bool], bool]

Answer = TypeVar("Answer")

# How much is read at once, in bytes: what a pipe of Linux holds (pipe(7)).
CHUNK = 1 << 16
# How far an input is read ahead of its fastest reader, in bytes.
AHEAD = 1 << 20
# How long a program may take to end after it was stopped, in seconds.
GRACE = 2.0
# How late the writer notices a program's end if another process still holds the program's stdin. Seconds.
NOTICED_SECONDS = 0.2
# Starting a program takes eight descriptors for a moment, so only one starts at a time.
STARTING = threading.Lock()
ROOM_HINT = "Make room there, or name another directory: export TMPDIR=<DIRECTORY>"


class StopEvent:
    """An event for any number of threads, which can also be selected: its descriptor is readable once it is set."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._changed = threading.Condition()
        self.is_set = False

    def fileno(self) -> int:
        return self._reading

    def set(self) -> None:
        with self._changed:
            if not self.is_set:
                self.is_set = True
                # Every reader finds the end of the pipe.
                os.close(self._writing)
                self._changed.notify_all()

    def unless(self, work: Callable[[], Answer], discard: Callable[[Answer], object]) -> Answer | None:
        """Return the result of `work`, None if the event is set before. Raises what `work` raises.

        Late work continues in a daemon thread, and `discard` gets its result.
        """
        answers: list[Answer] = []
        failures: list[BaseException] = []

        def run() -> None:
            try:
                answer = work()
            except BaseException as exc:  # noqa: BLE001 - raised again below
                with self._changed:
                    failures.append(exc)
                    self._changed.notify_all()
                return
            with self._changed:
                is_late = self.is_set
                if not is_late:
                    answers.append(answer)
                    self._changed.notify_all()
            if is_late:
                discard(answer)

        if self.is_set:
            return None
        threading.Thread(target=run, daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: answers or failures or self.is_set)
            if answers:
                return answers[0]
            if failures:
                raise failures[0]
            return None


class Input:
    """The data of a descriptor, for one program or `shared` by many, each of which gets all of it.

    It is read only if a program reads. A shared input is kept in an unnamed file, because programs differ in speed and
    some start late.
    """

    def __init__(self, descriptor: int, *, shared: bool) -> None:
        self._descriptor = descriptor
        self._shared = shared
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._file: IO[bytes] | None = None
        # The data that the one program has not read yet.
        self._next = bytearray()
        self._length = 0
        # How much to read, in bytes from the beginning.
        self._wanted = 0
        self._ended = False
        self._is_closed = False
        # Why reading failed, and a function that the reading thread calls with it.
        self.failure: MachineError | None = None
        self.on_failure: Callable[[MachineError], object] = lambda _: None

    def reader(self) -> Reader:
        return Reader(self)

    def after(self, at: int, reader: Reader) -> bytes:
        """Wait for data after position `at` and return some; b"" at the end, or if the reader is closed.

        Raises MachineError if reading failed.
        """
        with self._changed:
            if self._wanted < at + AHEAD:
                self._wanted = at + AHEAD
                self._changed.notify_all()
            if self._thread is None:
                # A daemon thread: at its end, this process does not wait for a terminal or the writer of a pipe.
                self._thread = threading.Thread(target=self._read, daemon=True)
                self._thread.start()
            self._changed.wait_for(lambda: self._length > at or self._ended or reader.is_closed)
            if reader.is_closed:
                return b""
            if self._length == at and self.failure:
                raise self.failure
            if self._shared:
                # A write that failed half-way may have left more in the file.
                most = min(CHUNK, self._length - at)
                return os.pread(self._file.fileno(), most, at) if self._file else b""
            data = bytes(self._next[:CHUNK])
            del self._next[:CHUNK]
            return data

    def close(self) -> None:
        """Delete the kept data: all programs have ended."""
        with self._changed:
            if self._file:
                self._file.close()
            self._file, self._is_closed = None, True

    def wake(self) -> None:
        """Let waiting readers check whether they are closed."""
        with self._changed:
            self._changed.notify_all()

    def _read(self) -> None:
        try:
            while data := self._taken():
                with self._changed:
                    if self._shared:
                        self._keep(data)
                    else:
                        self._next += data
                    self._length += len(data)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._wanted > self._length)
        except MachineError as exc:
            self.failure = exc
            self.on_failure(exc)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _taken(self) -> bytes:
        """Return the next data, b"" at the end. Raises MachineError."""
        while True:
            try:
                return os.read(self._descriptor, CHUNK)
            except BlockingIOError:
                # The descriptor may be non-blocking: O_NONBLOCK is shared with the process that opened it.
                waiting = select.poll()
                waiting.register(self._descriptor, select.POLLIN)
                waiting.poll()
            except OSError as exc:
                raise MachineError(
                    f"Cannot read the input: {exc.strerror}", "Check the file or device that stdin comes from"
                ) from exc

    def _keep(self, data: bytes) -> None:
        if self._is_closed:
            return
        try:
            if self._file is None:
                self._file = temporary_file()
            write_at(self._file.fileno(), data, self._length)
        except OSError as exc:
            raise MachineError(f"Cannot keep the input for all machines in {not_kept(exc)}", ROOM_HINT) from exc


class Reader:
    """Reads an input from its beginning, for one program."""

    def __init__(self, given: Input) -> None:
        self._input = given
        self._at = 0
        self.is_closed = False

    def read(self) -> bytes:
        """Wait for data and return some, b"" at the end. Raises MachineError if reading failed."""
        data = self._input.after(self._at, self)
        self._at += len(data)
        return data

    def close(self) -> None:
        """End a waiting `read`, from any thread."""
        self.is_closed = True
        self._input.wake()


def temporary_file() -> IO[bytes]:
    """Return an open file without a name."""
    import tempfile

    return tempfile.TemporaryFile(buffering=0)


def not_kept(failure: OSError) -> str:
    """Return the directory of temporary files and why one cannot be written, for a message."""
    import tempfile

    try:
        directory = tempfile.gettempdir()
    except OSError:
        # None is usable.
        directory = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - where it would be
    return f"{directory}: {failure.strerror or failure}"


def write_at(descriptor: int, data: bytes | memoryview, at: int) -> None:
    """Write all data at an offset of a file."""
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, at)
        left, at = left[written:], at + written


@dataclass(frozen=True)
class Stdin:
    """The input of a program: `first` at once, and when `is_ready`, `data` and the `input` as it comes.

    A program that is not ready within `ready_within` seconds is stopped.
    """

    first: bytes = b""
    data: bytes = b""
    input: Input | None = None
    is_ready: Callable[[], bool] = lambda: True
    ready_within: float | None = None


NO_INPUT = Stdin()


def run_streamed(
    command: Sequence[str],
    handle: HandleOutput,
    stop: StopEvent | None = None,
    *,
    stdin: Stdin = NO_INPUT,
    environment: Mapping[str, str] | None = None,
    end: Callable[[subprocess.Popen[bytes]], object] | None = subprocess.Popen.terminate,
    timeout: float | None = None,
) -> int | None:
    """Run a program, pass its output to `handle` as it comes, and return its exit status, below 0 for a signal.

    On `stop` or after `timeout` seconds, `end` is called and the program is killed if it does not end soon; without
    `end`, it is killed at once. The result is None then. If `handle` wants no more output, the program is killed and
    the result is 0. Raises OSError if the program cannot be started.
    """
    with STARTING:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if stdin.first or stdin.data or stdin.input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            # ^C must reach only this process, which ends the program.
            start_new_session=True,
        )
    feeder = Feeder(process.stdin, stdin) if process.stdin else None

    def feed_if_ready() -> bool:
        ready = stdin.is_ready()
        if feeder and ready:
            feeder.send_rest()
        return ready

    try:
        if feeder:
            feeder.start()
        limits = Limits(stop, timeout, stdin.ready_within)
        return listen(process, handle, feed_if_ready, limits, end)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if feeder:
            feeder.stop()
        for stream in (process.stdout, process.stderr):
            stream.close()  # type: ignore[union-attr]  # each is a pipe


class Feeder:
    """Writes to a program's stdin, in a thread that ends with the program. A program that does not read is no error.

    stdin is closed at the end of the input, but not if the input cannot be read: the program must not take a part for
    all of it.
    """

    def __init__(self, stream: IO[bytes], stdin: Stdin) -> None:
        self._stream = stream
        self._stdin = stdin
        self._reader = stdin.input.reader() if stdin.input else None
        # A small input fits into the pipe, and needs no thread.
        self._thread = None
        if stdin.input or len(stdin.first) + len(stdin.data) > CHUNK // 2:
            self._thread = threading.Thread(target=self._send_all, daemon=True)
        self._may_send_rest = threading.Event()
        self._stopped = False

    def start(self) -> None:
        os.set_blocking(self._stream.fileno(), False)
        if self._thread:
            self._thread.start()
        else:
            self._send(self._stdin.first)

    def send_rest(self) -> None:
        """Send what follows `first`. Further calls do nothing."""
        if not (self._thread or self._may_send_rest.is_set()):
            self._send(self._stdin.data)
            self._close()
        self._may_send_rest.set()

    def stop(self) -> None:
        self._stopped = True
        self._may_send_rest.set()
        if self._reader:
            self._reader.close()
        if self._thread and self._thread.is_alive():
            self._thread.join()
        self._close()

    def _send_all(self) -> None:
        with contextlib.suppress(MachineError):
            self._send(self._stdin.first)
            self._may_send_rest.wait()
            self._send(self._stdin.data)
            while self._reader and (data := self._reader.read()):
                self._send(data)
            self._close()

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        while left and not self._stopped:
            try:
                left = left[os.write(self._stream.fileno(), left) :]
            except BlockingIOError:
                waiting = select.poll()
                waiting.register(self._stream.fileno(), select.POLLOUT)
                waiting.poll(NOTICED_SECONDS * 1000)
            except OSError:
                # The program has ended, or closed its stdin.
                self._stopped = True

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()


class Limits:
    """The limits of a program: an event, a timeout, and a timeout until it is ready, both in seconds."""

    def __init__(self, stop: StopEvent | None, timeout: float | None, ready_within: float | None = None) -> None:
        now = time.monotonic()
        self.stop = stop
        self._deadline = math.inf if timeout is None else now + timeout
        self._ready_by = math.inf if ready_within is None else now + ready_within
        self.is_ending = False

    def note_ready(self) -> None:
        self._ready_by = math.inf

    def start_ending(self) -> None:
        """Give the program GRACE to end."""
        self.is_ending, self._deadline, self._ready_by = True, time.monotonic() + GRACE, math.inf

    @property
    def is_late(self) -> bool:
        return time.monotonic() >= min(self._deadline, self._ready_by)

    @property
    def is_stopped(self) -> bool:
        """Return whether the program has to be ended now."""
        return self.is_late or bool(self.stop and self.stop.is_set and not self.is_ending)

    @property
    def select_timeout(self) -> float | None:
        """Return the seconds to the next deadline, None without one."""
        deadline = min(self._deadline, self._ready_by)
        return None if deadline == math.inf else max(0.0, deadline - time.monotonic())


def listen(
    process: subprocess.Popen[bytes],
    handle: HandleOutput,
    feed_if_ready: Callable[[], bool],
    limits: Limits,
    end: Callable[[subprocess.Popen[bytes]], object] | None,
) -> int | None:
    """Pass a program's output to `handle` until it ends; see `run_streamed`.

    `feed_if_ready` is called at first and after each piece of output.
    """
    stop = limits.stop
    if feed_if_ready():
        limits.note_ready()
    # Unlike the default selector, it needs no descriptor.
    with selectors.PollSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, data=False)  # type: ignore[arg-type]  # it is a pipe
        selector.register(process.stderr, selectors.EVENT_READ, data=True)  # type: ignore[arg-type]
        if stop:
            selector.register(stop, selectors.EVENT_READ)
        streams: set[object] = {process.stdout, process.stderr}
        while streams or process.poll() is None:
            # A program may run on after it closed its output, so poll for its end.
            is_silent = process.stdout not in streams
            has_ended = is_silent and process.poll() is not None
            ready = selector.select(NOTICED_SECONDS / 10 if is_silent else limits.select_timeout)
            if has_ended and not ready:
                # An ssh that it left in the background holds its stderr (before OpenSSH 8.5).
                break
            if limits.is_stopped:
                if limits.is_ending or end is None:
                    return None
                if stop:
                    selector.unregister(stop)
                end(process)
                limits.start_ending()
                continue
            for key, _ in ready:
                if key.fileobj is stop:
                    continue
                data = os.read(key.fd, CHUNK)
                if not data:
                    selector.unregister(key.fileobj)
                    streams.remove(key.fileobj)
                elif handle(data, key.data):
                    return None if limits.is_ending else 0
                elif not limits.is_ending and feed_if_ready():
                    limits.note_ready()
    return None if limits.is_ending else process.wait()
