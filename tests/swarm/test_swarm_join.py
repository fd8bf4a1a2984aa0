"""What is done on a host before its engine becomes a node, on one that was read in the lab."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from machinectl.driver import SSHEndpoint
from machinectl.engine.swarm_api import Membership
from machinectl.hosts.login import Login
from machinectl.machines.record import Machine
from machinectl.provision.host_changes import LiveRestoreChanged, of_kind
from machinectl.swarm import swarm_join
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.runner import RecordedHost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store


@pytest.fixture
def host(store: Store, monkeypatch: pytest.MonkeyPatch) -> RecordedHost:
    """The host of the machine orion, whose engine has live-restore."""
    added(store, Machine("orion", "generic", url="tcp://192.0.2.29:2376", tls=True))
    host = RecordedHost("provisioned")

    @contextmanager
    def as_root(*_: object, **__: object) -> Iterator[RecordedHost]:
        yield host

    monkeypatch.setattr(swarm_join, "ssh_or_none", lambda _: SSHEndpoint("192.0.2.29"))
    monkeypatch.setattr(swarm_join, "logged_in_as_root", as_root)
    return host


def test_live_restore_is_turned_off_and_that_is_on_record_first(store: Store, host: RecordedHost) -> None:
    console = Quiet()
    host.at_work = lambda: known.extend(of_kind(store.read("orion").changes, LiveRestoreChanged))
    known: list[LiveRestoreChanged] = []
    with (
        store.writing("orion") as held,
        swarm_join.prepared_for_swarm(held, console, Login(), Membership(live_restore=True)),
    ):
        [job] = host.jobs
        assert "action=reload" in job
        assert "live_restore=false" in job
    assert [change.before for change in known] == [True]
    assert console.steps == ["Looking at the host", "Turning live-restore off by a reload, because Swarm refuses it"]


def test_who_breaks_it_off_is_told_what_turns_live_restore_on_again(store: Store, host: RecordedHost) -> None:
    console = Quiet()
    with (
        pytest.raises(KeyboardInterrupt),
        store.writing("orion") as held,
        swarm_join.prepared_for_swarm(held, console, Login(), Membership(live_restore=True)),
    ):
        raise KeyboardInterrupt
    assert "machinectl provision orion" in console.warnings[-1]
    assert len(host.jobs) == 1
