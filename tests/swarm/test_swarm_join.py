"""What is done on a host before its engine becomes a node, on one that was read in the lab."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from machinectl.driver import SSHEndpoint
from machinectl.engine.swarm_api import Membership
from machinectl.hosts.login import Login
from machinectl.machines.record import Machine
from machinectl.provision.facts.host_facts import parse_facts
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


@pytest.mark.parametrize(
    ("rules", "blocked"),
    [
        ({}, []),
        ({"iptables": "-P INPUT ACCEPT"}, []),
        ({"iptables": "-P INPUT DROP"}, ["2377/tcp", "7946/tcp", "7946/udp", "4789/udp"]),
        (
            {"iptables": "-P INPUT DROP\n-A INPUT -p tcp -m tcp --dport 7946 -j ACCEPT"},
            ["2377/tcp", "7946/udp", "4789/udp"],
        ),
        ({"iptables": "-P INPUT ACCEPT\n-A INPUT -p udp -m udp --dport 4789 -j DROP"}, ["4789/udp"]),
        ({"firewalld": "2376/tcp 2377/tcp 7946/udp"}, ["7946/tcp", "4789/udp"]),
        ({"ufw": "### tuple ### allow any 7946 0.0.0.0/0 any 0.0.0.0/0 in"}, ["2377/tcp", "4789/udp"]),
    ],
)
def test_the_ports_that_a_firewall_keeps_other_nodes_from(rules: dict[str, str], blocked: list[str]) -> None:
    there = replace(parse_facts(RecordedHost("docker").facts), firewalls=rules)
    assert swarm_join.closed_ports(there) == blocked
