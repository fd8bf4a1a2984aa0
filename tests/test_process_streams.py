"""Programs that read input while they run: what they get, and what is cleaned up when they end."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from machinectl import process_streams
from machinectl.errors import MachineError
from machinectl.process_streams import Input, Stdin, StopEvent, run_streamed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOTH = pytest.mark.parametrize("shared", [True, False])


class Said:
    """Collects a program's output."""

    def __init__(self) -> None:
        self.data = b""

    def hear(self, data: bytes, _: bool) -> bool:
        self.data += data
        return False


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def fill(descriptor: int) -> None:
    while True:
        os.write(descriptor, b"x" * process_streams.CHUNK)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@BOTH
def test_an_ended_program_leaves_no_descriptor_or_thread(pipe: tuple[int, int], *, shared: bool) -> None:
    given, over = Input(pipe[0], shared=shared), StopEvent()
    # Other programs continue to read it.
    assert run_streamed(["true"], Said().hear, over, stdin=Stdin(input=given)) == 0
    before = descriptors(), threading.active_count()
    for _ in range(3):
        assert run_streamed(["true"], Said().hear, over, stdin=Stdin(input=given)) == 0
    assert (descriptors(), threading.active_count()) == before


def test_each_program_gets_all_input_whenever_it_starts(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "data").write_bytes(data)
    with (tmp_path / "data").open("rb") as file:
        given = Input(file.fileno(), shared=True)
        for _ in range(2):
            said = Said()
            assert run_streamed(["cat"], said.hear, StopEvent(), stdin=Stdin(input=given)) == 0
            assert said.data == data


@BOTH
def test_a_read_error_is_not_the_end_of_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, shared: bool) -> None:
    # The program waits for more until it is killed.
    monkeypatch.setattr(process_streams, "GRACE", 0.1)
    over, failures = StopEvent(), []
    directory = os.open(tmp_path, os.O_RDONLY)
    given = Input(directory, shared=shared)

    def fail(failure: MachineError) -> None:
        failures.append(failure)
        over.set()

    given.on_failure = fail
    said = Said()
    assert run_streamed(["sh", "-c", "cat; echo whole"], said.hear, over, stdin=Stdin(input=given)) is None
    os.close(directory)
    assert said.data == b""
    assert [failure.cause for failure in failures] == ["Cannot read the input: Is a directory"]


def test_input_for_several_programs_has_a_limit(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_streams, "MOST_INPUT", 8)
    given = Input(pipe[0], shared=True)
    os.write(pipe[1], b"begun\n")
    assert given.after(0) == b"begun\n"
    os.write(pipe[1], b"more\n")
    for _ in range(2):
        with pytest.raises(MachineError, match="Several machines take at most"):
            given.after(6)
        assert given.after(0) == b"begun\n"


def test_input_is_read_only_as_programs_take_it(pipe: tuple[int, int]) -> None:
    given = Input(pipe[0], shared=True)
    os.write(pipe[1], b"first")
    assert given.after(0) == b"first"
    os.set_blocking(pipe[1], False)
    with pytest.raises(BlockingIOError):
        fill(pipe[1])


def test_slow_work_is_abandoned_when_it_is_over() -> None:
    over, goes_on, discarded = StopEvent(), threading.Event(), threading.Event()

    def work() -> str:
        over.set()
        goes_on.wait()
        return "late"

    assert over.unless(work, lambda _: discarded.set()) is None
    goes_on.set()
    assert discarded.wait(60)


def test_work_done_in_time_returns_or_raises() -> None:
    assert StopEvent().unless(lambda: "done", lambda _: None) == "done"
    with pytest.raises(ZeroDivisionError):
        StopEvent().unless(lambda: 1 // 0, lambda _: None)
