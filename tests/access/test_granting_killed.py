"""Access that is given and ended, killed right before every touch of the store: the same command finishes."""

from __future__ import annotations

import itertools
import json
import os
import signal
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.access import ending, granting
from machinectl.access.ending import end_access
from machinectl.access.granting import AccessGrant, client_of_holder
from machinectl.hosts.certificate_files import signed
from machinectl.hosts.login import Login
from machinectl.machines.holders import PERSON, find_holder, holders_of
from machinectl.machines.record import Machine
from tests.support.dying import die_at
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.machines.store import Store

STATE = '{"IPAddress": "192.0.2.29", "SSHUser": "root", "SSHPort": 22, "EnginePort": 2376}'


class Host:
    """An engine's list of CAs, in a file outside the store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._write(set())

    @property
    def accepted(self) -> set[str]:
        return set(json.loads(self.path.read_text()))

    def trust_ca(
        self, _held: object, _console: object, _access: object, ca: bytes, _allowed: object, **_: object
    ) -> bool:
        self._write(self.accepted | {certs.fingerprint(ca)})
        return True

    def distrust_cas(self, _held: object, _console: object, _access: object, cas: set[str], *_: object) -> bool:
        self._write(self.accepted - cas)
        return True

    def _write(self, accepted: set[str]) -> None:
        self.path.write_text(json.dumps(sorted(accepted)))


@pytest.fixture
def host(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path / "host.json")
    monkeypatch.setattr(granting, "trust_ca", found.trust_ca)
    monkeypatch.setattr(ending, "distrust_cas", found.distrust_cas)
    ca = certs.new_ca("machinectl orion")
    files = signed(ca, certs.issue_server(ca, ["192.0.2.29"]), certs.issue_client(ca, "orion")).present
    added(store, Machine("orion", "generic", url="tcp://192.0.2.29:2376", tls=True, driver_state=STATE), files)
    return found


def give(store: Store, grant: AccessGrant) -> None:
    with store.writing("orion") as held:
        client_of_holder(held, Quiet(), Login(), grant)


def end(store: Store) -> None:
    with store.writing("orion") as held:
        if find_holder(held.machine, "alice"):
            end_access(held, Quiet(), Login(), "alice")


def is_killed(moment: int, store: Store, work: Callable[[], Any]) -> bool:
    """Work in a child that is killed at a touch of the store; return whether it came to that."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            die_at(moment, store.root)
            work()
            status = 0
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, -signal.SIGKILL}
    return code != 0


def check(store: Store, host: Host) -> None:
    """Whoever the engine accepts is on record, so that it can be ended; nobody else reads a key."""
    assert host.accepted <= {holder.ca for holder in holders_of(store.read("orion"))}
    files = [path for path in Path(store.directory("orion")).rglob("*key.pem*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files} == {0}


def test_killed_at_any_touch_the_same_command_finishes(store: Store, host: Host) -> None:
    kills = 0
    for moment in itertools.count(1):
        grant = AccessGrant("alice", PERSON, certs.own_public_key(certs.new_key()))
        given = is_killed(moment, store, lambda grant=grant: give(store, grant))  # type: ignore[misc]
        check(store, host)
        give(store, grant)
        alice = find_holder(store.read("orion"), "alice")
        assert alice is not None
        assert (alice.state, [key.key for key in alice.keys]) == ("", [grant.public_key.digest])
        assert host.accepted == {alice.ca}
        ended = is_killed(moment, store, lambda: end(store))
        check(store, host)
        end(store)
        assert (store.read("orion").holders, host.accepted) == ({}, set())
        assert list(Path(store.directory("orion"), "holders").iterdir()) == []
        kills += given + ended
        if not (given or ended):
            break
    assert kills > 20
