"""Run programs in parallel: stream output, share input, stop together."""

from __future__ import annotations

import contextlib
import math
import os
import select
import selectors
import subprocess
import threading
import time
from functools import partial

from machinectl.errors import Hint, MachineError
from machinectl.value_classes import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeVar

    Answer = TypeVar("Answer")

    # Takes output and whether it came on stderr.
    WriteOutput = Callable[[bytes, bool], None]
    # Like WriteOutput, but returns True to end the output.
    HandleOutput = Callable[[bytes, bool], bool]


# Bytes per read: the capacity of a Linux pipe (pipe(7)).
CHUNK = 1 << 16
# Bytes of input that are kept for several programs.
MOST_INPUT = 1 << 30
# Most output of a program that answers a question, in bytes.
MOST_ANSWER = 1 << 20
# Seconds that a stopped program has to end.
GRACE = 2.0
# Seconds until the writer notices a program's end while it waits for input, or if another process still holds stdin.
NOTICED_SECONDS = 0.1
# Starting a program takes eight descriptors for a moment, so only one starts at a time.
STARTING = threading.Lock()


class StopEvent:
    """A thread event whose descriptor is readable once it is set."""

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
        """Return the result of `work`, or None once the event is set.

        Late work continues; `discard` gets its result.
        """
        # It loads logging.
        from concurrent.futures import Future

        answer: Future[Answer] = Future()

        def run() -> None:
            try:
                result = work()
            except BaseException as exc:  # noqa: BLE001 - raised again below
                if answer.set_running_or_notify_cancel():
                    answer.set_exception(exc)
            else:
                if answer.set_running_or_notify_cancel():
                    answer.set_result(result)
                else:
                    discard(result)
            with self._changed:
                self._changed.notify_all()

        if self.is_set:
            return None
        threading.Thread(target=run, daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: answer.done() or self.is_set)
        # Too late to cancel: the work has just ended.
        return None if answer.cancel() else answer.result()


class Input:
    """Input for one program, or `shared`: each program gets all of it, whenever it reads."""

    def __init__(self, descriptor: int, *, shared: bool) -> None:
        self._descriptor = descriptor
        self._shared = shared
        self._lock = threading.Lock()
        # What was read so far, if it is shared.
        self._kept = bytearray()
        # Why reading failed, and the callback for it, called in the reading thread.
        self.failure: MachineError | None = None
        self.on_failure: Callable[[MachineError], object] = lambda _: None

    def after(self, at: int) -> bytes | None:
        """Return data after `at`, b"" at the end, None if nothing arrives in NOTICED_SECONDS. Raises MachineError."""
        is_known = len(self._kept) > at or self.failure
        if not is_known and not select.select([self._descriptor], [], [], NOTICED_SECONDS)[0]:
            return None
        with self._lock:
            if len(self._kept) > at:
                return bytes(self._kept[at : at + CHUNK])
            if self.failure:
                raise self.failure
            try:
                return self._read()
            except BlockingIOError:
                # O_NONBLOCK is shared with the process that opened the descriptor, and reads from it, too.
                return None
            except MachineError as exc:
                self.failure = exc
                self.on_failure(exc)
                raise

    def _read(self) -> bytes:
        try:
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            raise
        except OSError as exc:
            raise MachineError(
                f"Cannot read the input: {exc.strerror}", Hint("Check the file or device that stdin comes from")
            ) from exc
        if self._shared and len(self._kept) + len(data) > MOST_INPUT:
            raise MachineError(
                f"Several machines take at most {MOST_INPUT >> 20} MB of input",
                Hint("Copy a file there first", "machinectl scp <FILE> <NAME>:"),
            )
        if self._shared:
            self._kept += data
        return data


class Stdin(Frozen):
    """`first` is sent at once, `data` and `input` once `is_ready`.

    A program not ready after `ready_within` seconds is stopped.
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
    """Run a program, stream its output to `handle`, and return its exit status (negative: signal).

    On `stop` or after `timeout` seconds, call `end`, kill it after GRACE, and return None; without `end`, kill at once.
    If `handle` returns True, kill it and return 0. Raises OSError if it cannot start.
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

    limits = Limits(stop, timeout, stdin.ready_within)

    def feed_if_ready() -> None:
        if stdin.is_ready():
            limits.ready_by = math.inf
            if feeder:
                feeder.send_rest()

    try:
        if feeder:
            feeder.start()
        return listen(process, handle, feed_if_ready, limits, end and partial(end, process))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if feeder:
            feeder.stop()
        for stream in (process.stdout, process.stderr):
            stream.close()  # type: ignore[union-attr]  # each is a pipe


def find_program(name: str) -> str | None:
    """As shutil.which, which loads compressors."""
    places = (os.path.join(place, name) for place in os.get_exec_path())
    return next((path for path in places if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def query_program(
    command: Sequence[str], timeout: float, data: bytes = b""
) -> subprocess.CompletedProcess[bytes] | None:
    """Return up to 1 MB of output; None if it cannot start or takes more than `timeout` seconds."""
    output = {False: bytearray(), True: bytearray()}

    def take(piece: bytes, on_stderr: bool) -> bool:
        output[on_stderr].extend(piece)
        return len(output[on_stderr]) > MOST_ANSWER

    try:
        status = run_streamed(command, take, stdin=Stdin(data), timeout=timeout, end=None)
    except OSError:
        return None
    stdout, stderr = map(bytes, output.values())
    return None if status is None else subprocess.CompletedProcess(command, status, stdout, stderr)


class Feeder:
    """Writes stdin in a thread. A program need not read it.

    If the input is unreadable, stdin stays open: partial input must not look complete.
    """

    def __init__(self, stream: Any, stdin: Stdin) -> None:
        self._stream = stream
        self._stdin = stdin
        self._thread = threading.Thread(target=self._send_all, daemon=True)
        self._may_send_rest = threading.Event()
        self._stopped = False

    def start(self) -> None:
        self._prepare()
        self._thread.start()

    def send_rest(self) -> None:
        """Send what follows `first`. Idempotent."""
        self._may_send_rest.set()

    def stop(self) -> None:
        self._stopped = True
        self._may_send_rest.set()
        self._thread.join()
        self._close()

    def _send_all(self) -> None:
        self._send(self._stdin.first)
        self._may_send_rest.wait()
        self._send(self._stdin.data)
        at, data = 0, None
        with contextlib.suppress(MachineError):
            while self._stdin.input and data != b"" and not self._stopped:
                data = self._stdin.input.after(at)
                self._send(data or b"")
                at += len(data or b"")
            self._close()

    def _prepare(self) -> None:
        os.set_blocking(self._stream.fileno(), False)

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
                # The program has ended or closed its stdin.
                self._stopped = True

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()


class Limits:
    """When to end a program. Timeouts are in seconds."""

    def __init__(self, stop: StopEvent | None, timeout: float | None, ready_within: float | None = None) -> None:
        now = time.monotonic()
        self.stop = stop
        self._deadline = math.inf if timeout is None else now + timeout
        self.ready_by = math.inf if ready_within is None else now + ready_within
        self.is_ending = False

    def start_ending(self, selector: selectors.BaseSelector, end: Callable[[], object] | None) -> bool:
        """Call `end`, and allow GRACE. Return False to kill at once: without `end`, or after GRACE."""
        if self.is_ending or end is None:
            return False
        if self.stop:
            selector.unregister(self.stop)
        end()
        self.is_ending, self._deadline, self.ready_by = True, time.monotonic() + GRACE, math.inf
        return True

    @property
    def is_late(self) -> bool:
        return time.monotonic() >= min(self._deadline, self.ready_by)

    @property
    def is_stopped(self) -> bool:
        return self.is_late or bool(self.stop and self.stop.is_set and not self.is_ending)

    @property
    def select_timeout(self) -> float | None:
        """Seconds to the next deadline, or None."""
        deadline = min(self._deadline, self.ready_by)
        return None if deadline == math.inf else max(0.0, deadline - time.monotonic())


def listen(
    process: subprocess.Popen[bytes],
    handle: HandleOutput,
    feed_if_ready: Callable[[], None],
    limits: Limits,
    end: Callable[[], object] | None,
) -> int | None:
    """Like `run_streamed`, but calls `feed_if_ready` first and after each output."""
    feed_if_ready()
    # Unlike the default selector, it needs no descriptor.
    with selectors.PollSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, data=False)  # type: ignore[arg-type]  # it is a pipe
        selector.register(process.stderr, selectors.EVENT_READ, data=True)  # type: ignore[arg-type]
        if limits.stop:
            selector.register(limits.stop, selectors.EVENT_READ)
        streams: set[object] = {process.stdout, process.stderr}
        while streams or process.poll() is None:
            # A program may continue after closing its output, so poll for its end.
            is_silent = process.stdout not in streams
            has_ended = is_silent and process.poll() is not None
            ready = selector.select(NOTICED_SECONDS / 5 if is_silent else limits.select_timeout)
            if has_ended and not ready:
                # An ssh in the background holds stderr open (before OpenSSH 8.5).
                break
            if limits.is_stopped:
                if not limits.start_ending(selector, end):
                    return None
                continue
            # `stop` is never among them: it is set before it is readable.
            for key, _ in ready:
                data = os.read(key.fd, CHUNK)
                if not data:
                    selector.unregister(key.fileobj)
                    streams.remove(key.fileobj)
                elif handle(data, key.data):
                    return None if limits.is_ending else 0
                elif not limits.is_ending:
                    feed_if_ready()
    return None if limits.is_ending else process.wait()
