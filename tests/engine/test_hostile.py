"""Servers in an engine's place that are broken or mean harm: each ends in time, in one line that moves no cursor."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl import certs, engine
from machinectl.engine import Endpoint, EngineError
from machinectl.machines.record import Machine
from machinectl.state import State
from tests.support import hostile_engine, hostile_ssh
from tests.support.hostile_ssh import MEASURED, MEMORY
from tests.support.in_process import machinectl
from tests.support.program import run_code
from tests.support.registered import added
from tests.support.servers import serving

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.servers import Behaviour

EVERY = {**hostile_engine.ENDING, **hostile_engine.ENDLESS}
pytestmark = pytest.mark.timeout(60)

# Seconds for a server that goes on for ever.
ENOUGH = 0.3


def harmless(text: bytes) -> bool:
    return text.decode().replace("\n", "").isprintable()


@pytest.mark.parametrize("name", EVERY)
def test_a_probe_and_a_request_end_in_time_in_one_line(name: str) -> None:
    seconds = 20 if name in hostile_engine.ENDING else ENOUGH
    with serving(EVERY[name]) as port:
        endpoint = Endpoint(f"tcp://127.0.0.1:{port}")
        found = engine.probe(endpoint, seconds)
        with contextlib.suppress(EngineError), engine.request(endpoint, "GET", "/info", timeout=seconds) as answer:
            assert answer.reason.isprintable()
            for _ in answer:
                pass
    assert not found.error.startswith("Unexpected"), found.error
    assert found.error or found.state is State.RUNNING
    for said in (found.error, found.hint, found.version, found.api_version):
        assert said.isprintable()
        assert len(said) <= 400


def test_a_length_that_is_none_is_not_taken_for_the_end_of_the_connection() -> None:
    with (
        serving(EVERY["a length of 5000 digits"]) as port,
        pytest.raises(EngineError, match="it has the length"),
        engine.request(Endpoint(f"tcp://127.0.0.1:{port}"), "GET", "/info", timeout=20),
    ):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_all_of_them_are_listed_in_time_with_little_memory(store: Store, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        for number, behaviour in enumerate(EVERY.values()):
            port = stack.enter_context(serving(behaviour))
            added(store, Machine(f"box{number}", "none", url=f"tcp://127.0.0.1:{port}"))
        here = {"MACHINE_STORAGE_PATH": store.root}
        done = run_code(MEASURED, "ls", "--timeout", "1", environment=here, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert harmless((done.stdout + done.stderr).encode(errors="surrogateescape"))
    assert len(done.stdout.splitlines()) == len(EVERY) + 1
    assert int((tmp_path / "memory").read_text()) < MEMORY


@pytest.mark.parametrize("name", ["a version of escapes", "a failure of escapes", "headers", "a huge header"])
def test_each_verb_that_asks_ends_in_harmless_lines(store: Store, name: str) -> None:
    with serving(EVERY[name]) as port:
        added(store, Machine("box", "none", url=f"tcp://127.0.0.1:{port}"))
        for verb in (["status", "box"], ["version", "box"], ["api", "box", "/_ping"]):
            done = machinectl(*verb, "-t", "2", store=store.root)
            assert done.returncode in {0, 1}, done.stderr
            # What `api` prints on stdout is the engine's answer as it is.
            said = done.stderr if verb[0] == "api" else done.stdout + done.stderr
            assert harmless(said.encode(errors="surrogateescape"))
            assert len(said.splitlines()) <= 3
        listed = json.loads(machinectl("ls", "--json", "-t", "2", store=store.root).stdout)
        assert str(listed[0]).isprintable()


@pytest.mark.parametrize(
    "behaviour",
    [
        hostile_ssh.repeating(b"\0", b"\x16\x03\x03\xff\xff", pause=0.02),
        hostile_ssh.holding(b"\x16\x03"),
        hostile_ssh.saying(b"\x15\x03\x03\0\2\2\xff"),
        hostile_ssh.saying(hostile_ssh.ESCAPES * 1000),
    ],
    ids=["byte by byte", "half a record", "an unknown alert", "escapes"],
)
def test_a_handshake_ends_in_time_in_one_line(behaviour: Behaviour, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(certs.new_ca("ca").certificate)
    with serving(behaviour) as port:
        found = engine.probe(Endpoint(f"tcp://127.0.0.1:{port}", tls=True, cert_dir=str(tmp_path)), ENOUGH)
    assert found.state is not State.RUNNING
    assert found.error.isprintable()
    assert not found.error.startswith("Unexpected"), found.error


@pytest.mark.skipif(os.name != "posix", reason="a script of sh")
def test_an_ssh_that_says_very_much_is_heard_to_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text(
        "#!/bin/sh\nuntil [ $1 = -E ]; do shift; done; exec 2>$2\n"
        "head -c 5000000 /dev/zero >&2; printf '\\n\\033]0;owned\\007no route to host\\n' >&2; exit 255\n"
    )
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = engine.probe(Endpoint("ssh://somebody@192.0.2.1"), 20)
    assert found.error == "ssh://somebody@192.0.2.1: ]0;owned no route to host"
