"""Many engines are asked at once, and each has its whole time from when it is asked."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.engine.endpoint import Deadline
from machinectl.engine.http import dial
from machinectl.state import State
from tests.support import servers
from tests.support.many_engines import many_engines

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from machinectl.engine.wire import Wire
    from tests.support.servers import Connection

# Long enough for a machine under load; nobody waits for it.
PLENTY = 60.0
# The package has a function of its name.
PROBE = sys.modules["machinectl.engine.probe"]
SHORT = 0.2


def engine_wire(port: int) -> Wire:
    return dial(plain(port), Deadline(PLENTY))


def plain(port: int) -> engine.Endpoint:
    return engine.Endpoint(f"tcp://127.0.0.1:{port}")


def test_no_more_than_the_limit_are_asked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PROBE, "MOST_AT_ONCE", 10)
    with many_engines(tmp_path, 60) as engines:
        before = set(threading.enumerate())
        asked = {str(at): engine.Endpoint(one.url, True, str(one.directory)) for at, one in enumerate(engines)}
        seen = [(probe.state, len(set(threading.enumerate()) - before)) for _, probe in engine.probe_all(asked, PLENTY)]
    assert {state for state, _ in seen} == {State.RUNNING}
    # The last ones may have answered, and not ended yet.
    assert max(threads for _, threads in seen) <= 2 * 10


def test_the_time_of_an_engine_does_not_run_while_it_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PROBE, "MOST_AT_ONCE", 1)

    def slow(connection: Connection) -> None:
        while connection.request():
            connection.stopping.wait(SHORT)
            connection.send(servers.answer(servers.VERSION))

    # One after the other they take more than twice as long as each may.
    with servers.serving(slow) as port:
        found = dict(engine.probe_all({str(at): plain(port) for at in range(6)}, 5 * SHORT))
    assert {probe.state for probe in found.values()} == {State.RUNNING}


def test_an_engine_that_is_late_counts_as_long_as_others_answer() -> None:
    turns = itertools.count(1)

    def one_after_the_other(connection: Connection) -> None:
        connection.stopping.wait(next(turns) * SHORT)
        servers.engine(connection)

    with servers.serving(one_after_the_other) as port:
        found = dict(engine.probe_all({str(at): plain(port) for at in range(8)}, 2 * SHORT))
    assert {probe.state for probe in found.values()} == {State.RUNNING}


def test_an_answer_that_is_read_late_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy computer gives a thread the processor when its time is over, and the answer has arrived."""
    with servers.serving(servers.engine) as port, engine_wire(port) as wire:
        wire.send(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
        wire.sock.recv(1, socket.MSG_PEEK)
        monkeypatch.setattr(wire.deadline, "end", time.monotonic() - 1)
        assert wire.receive_into(bytearray(100))


def test_all_are_asked_where_few_files_may_be_open() -> None:
    script = (
        "import resource\n"
        "from machinectl import engine\n"
        "from tests.engine.test_ask_engines import plain, servers\n"
        "with servers.serving(servers.engine) as port:\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (192, 192))\n"
        "    print({str(probe.state) for _, probe in "
        "engine.probe_all({str(at): plain(port) for at in range(300)}, 60)})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout == "{'Running'}\n"
