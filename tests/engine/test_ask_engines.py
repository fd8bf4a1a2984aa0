"""Many engines are asked by few threads, and each has its whole time from when it is asked."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.cli.tables.machine_table import print_machines
from machinectl.commands.ps import ContainerQuery, ps
from machinectl.engine import ask_engines
from machinectl.machines.record import Machine
from machinectl.state import State
from tests.support import servers
from tests.support.many_engines import many_engines
from tests.support.registered import added

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from machinectl.machines.store import Store
    from tests.support.servers import Connection

# Long enough for a machine under load; nobody waits for it.
PLENTY = 60.0
SHORT = 0.2


def plain(port: int) -> engine.Endpoint:
    return engine.Endpoint(f"tcp://127.0.0.1:{port}")


def test_threads_do_not_grow_with_the_engines_that_answer(tmp_path: Path) -> None:
    # One makes connections, and one cuts handshakes that take too long.
    others = {"connections", "overdue"}
    with many_engines(tmp_path, 200) as engines:
        before = set(threading.enumerate())
        asked = {str(at): engine.Endpoint(one.url, True, str(one.directory)) for at, one in enumerate(engines)}
        seen = [
            (probe.state, [thread.name for thread in set(threading.enumerate()) - before])
            for _, probe in engine.probe_all(asked, PLENTY)
        ]
    assert {state for state, _ in seen} == {State.RUNNING}
    assert {name for _, names in seen for name in names} <= {"asking", *others}
    assert max(names.count("asking") for _, names in seen) <= ask_engines.THREADS
    assert all(names.count(one) <= 1 for _, names in seen for one in others)


def test_the_time_of_an_engine_does_not_run_while_it_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask_engines, "THREADS", 1)
    monkeypatch.setattr(ask_engines, "MOST_THREADS", 1)

    def slow(connection: Connection) -> None:
        while connection.request():
            connection.stopping.wait(SHORT)
            connection.send(servers.answer(servers.VERSION))

    # One after the other they take more than twice as long as each may.
    with servers.serving(slow) as port:
        found = dict(engine.probe_all({str(at): plain(port) for at in range(6)}, 5 * SHORT))
    assert {probe.state for probe in found.values()} == {State.RUNNING}


def test_more_threads_come_where_engines_that_say_nothing_keep_all_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask_engines, "THREADS", 2)
    with servers.serving(servers.silent) as silent, servers.serving(servers.engine) as port:
        endpoints = {f"silent{at}": plain(silent) for at in range(6)} | {"alive": plain(port)}
        name, probe = next(iter(engine.probe_all(endpoints, 4.0)))
    assert (name, probe.state) == ("alive", State.RUNNING)


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


def test_what_was_not_asked_is_counted_and_not_called_silent(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ask_engines, "MOST_AT_ONCE", 2)
    with servers.full() as port:
        for at in range(20):
            added(store, Machine(f"m{at}", "none", url=f"tcp://127.0.0.1:{port}"))
        print_machines(store, quiet=False, filters=[], timeout=SHORT, template="", as_json=False)
        found = ps(store, [], ContainerQuery(), SHORT)
    listed, said = capsys.readouterr()
    assert 0 < listed.count("Timeout") < 20
    assert f"Error: {20 - listed.count('Timeout')} of 20 engines were not asked" in said
    *silent, left_out = (str(failure) for failure in found.failures)
    assert all("does not answer" in failure for failure in silent)
    assert f"{20 - len(silent)} of 20 engines were not asked" in left_out
