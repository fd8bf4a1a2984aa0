"""A host is one machine's: another one is told whose, and goes on with what was removed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import CheckFailed
from machinectl.hosts.host_owner import (
    check_no_other_machine,
    check_not_lost,
    is_host_of,
    predecessor,
)
from machinectl.hosts.host_run import RealRun
from machinectl.hosts.identity import Identity, store_pending
from machinectl.hosts.removal import warn_of_access
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.holders import AccessHolder, HolderKey
from machinectl.machines.record import Machine, Phase
from machinectl.provision.facts.host_facts import OWN_DIRECTORY, Facts, Sum
from machinectl.provision.host_changes import (
    CaTrusted,
    Change,
    FileCreated,
    GroupJoined,
    KeyAuthorized,
    PackageInstalled,
)
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.runner import RecordedHost

if TYPE_CHECKING:
    from machinectl.machines.store import Store

CA = b"a CA that several hosts share"
GIVEN = CaTrusted(hashlib.sha256(CA).hexdigest())
CHANGES = (FileCreated("/etc/docker/machinectl/environment"), GIVEN)
ENGINE = PackageInstalled("docker.io")
PIN = b"machinectl ssh-ed25519 AAAA\n"
URL = "tcp://192.0.2.1:2376"
KEY = KeyAuthorized("/root/.ssh/authorized_keys", f"ssh-ed25519 {'A' * 68}", "line")


def serving(server: bytes, ca: bytes = CA) -> Facts:
    """A host that has a server's certificate, and a CA."""
    files = {"server.pem": server, "ca.pem": ca}
    sums = {
        f"{OWN_DIRECTORY}/{name}": Sum("600", 0, 0, hashlib.sha256(data).hexdigest()) for name, data in files.items()
    }
    return replace(HOST, sums=sums)


HOST = Facts(
    uid=0,
    clock=0,
    arch="x86_64",
    os_release={},
    init="systemd",
)


def machine(store: Store, name: str, *, changed: bool = True) -> Machine:
    """A machine whose server's certificate is named like it."""
    made = Machine(name, "generic", url=URL)
    made.changes = CHANGES if changed else ()
    files = {"ca.pem": CA, "server.pem": name.encode(), "server-key.pem": b" and its key"}
    return added(store, made, files)


def remove(store: Store, name: str) -> None:
    with store.writing(name) as held:
        held.set_aside()


def kept(store: Store) -> list[str]:
    return [removed.name for removed in store.removed.readable()]


@pytest.mark.parametrize("server", [b"orion and its key", b"orion"])
def test_a_second_name_for_a_host_is_told_the_first(store: Store, server: bytes) -> None:
    machine(store, "orion")
    with pytest.raises(CheckFailed, match='already belongs to the machine "orion"') as raised:
        check_no_other_machine(store, Machine("rigel", "generic", phase=Phase.PROVISIONING), serving(server))
    assert "machinectl rename orion rigel" in raised.value.hint


def test_who_set_the_host_up_has_it_beside_those_that_are_only_let_in(store: Store) -> None:
    machine(store, "twin", changed=False)
    check_no_other_machine(store, machine(store, "orion"), serving(b"orion and its key"))
    check_no_other_machine(store, Machine("rigel", "generic"), HOST)


def test_a_host_whose_renewal_was_cut_is_known_by_the_pending_certificates(store: Store) -> None:
    orion = machine(store, "orion")
    new = Identity(ca=CA, client=b"client", client_key=b"key", server=b"new", server_key=b" key")
    with store.writing("orion") as held:
        store_pending(held, new)
    assert is_host_of(orion, serving(b"new key"))


def test_hosts_that_share_a_ca_are_not_taken_for_one_another(store: Store) -> None:
    for name in ("altair", "orion", "vega"):
        machine(store, name)
    remove(store, "altair")
    remove(store, "vega")
    check_no_other_machine(store, Machine("rigel", "generic"), serving(b"of somebody else under the same CA"))
    found = predecessor(store, Machine("rigel", "generic"), URL, serving(b"vega and its key"))
    assert found
    assert found.name == "vega"


@pytest.mark.parametrize("own", [(), (KEY,), CHANGES, (*CHANGES, KEY)])
def test_a_new_machine_goes_on_with_the_removed_one_whatever_it_was_cut_at(
    store: Store, own: tuple[Change, ...]
) -> None:
    machine(store, "altair")
    machine(store, "orion")
    remove(store, "altair")
    remove(store, "orion")
    rigel = Machine("rigel", "generic", url=URL)
    rigel.changes = own
    added(store, rigel)
    found = predecessor(store, rigel, URL, serving(b"orion and its key"))
    assert found
    with store.writing("rigel") as held:
        RealRun(held, Quiet(), RecordedHost("docker")).take_over(found)
        assert held.machine.changes == (*CHANGES, *(change for change in own if change is KEY))
        assert Identity.read(held.directory).server == b"orion"
    assert kept(store) == ["altair"]
    rigel.changes = (FileCreated("/etc/docker/machinectl/other"),)
    assert predecessor(store, rigel, URL, serving(b"altair and its key")) is None


@pytest.mark.parametrize(
    ("address", "pin", "dockerd", "left", "continued"),
    [
        ("192.0.2.1", PIN, "/usr/bin/dockerd", (ENGINE,), True),
        ("192.0.2.2", PIN, "/usr/bin/dockerd", (ENGINE,), False),
        ("192.0.2.1", b"machinectl ssh-ed25519 BBBB\n", "/usr/bin/dockerd", (ENGINE,), False),
        ("192.0.2.1", b"", "/usr/bin/dockerd", (ENGINE,), False),
        ("192.0.2.1", PIN, "", (ENGINE,), False),
        ("192.0.2.1", PIN, "/usr/bin/dockerd", (ENGINE, *CHANGES), False),
    ],
)
def test_a_new_machine_of_a_host_that_was_undone_knows_who_installed_its_engine(
    store: Store, address: str, pin: bytes, dockerd: str, left: tuple[Change, ...], *, continued: bool
) -> None:
    purged = Machine("orion", "generic", url=f"tcp://{address}:2376")
    purged.changes = left
    added(store, purged, {"known_hosts": PIN, "ca.pem": b"its CA"})
    remove(store, "orion")
    rigel = Machine("rigel", "generic", url="tcp://192.0.2.1:2376")
    rigel.changes = CHANGES
    added(store, rigel, {"known_hosts": pin, "ca.pem": CA})
    host = replace(HOST, dockerd=dockerd)
    found = predecessor(store, rigel, rigel.url, host)
    assert bool(found) is continued
    if found:
        with store.writing("rigel") as held:
            RealRun(held, Quiet(), RecordedHost("docker")).take_over(found)
            assert held.machine.changes == (ENGINE, *CHANGES)
            assert Identity.read(held.directory).ca == CA
        assert kept(store) == []


def test_a_new_machine_goes_on_with_the_history_of_one_that_was_reached_over_ssh_only(store: Store) -> None:
    joined = GroupJoined("ops", "docker")
    removed = Machine("orion", "generic", url="ssh://ops@192.0.2.1:22")
    removed.engine, removed.changes = EngineOptions(ssh_only=True), (joined,)
    added(store, removed, {"known_hosts": PIN})
    remove(store, "orion")
    rigel = Machine("rigel", "generic", url="ssh://ops@192.0.2.1:22")
    added(store, rigel, {"known_hosts": PIN, "ca.pem": CA})
    found = predecessor(store, rigel, rigel.url, replace(HOST, dockerd="/usr/bin/dockerd"))
    assert found
    with store.writing("rigel") as held:
        RealRun(held, Quiet(), RecordedHost("docker")).take_over(found)
        assert held.machine.changes == (joined,)
        assert Identity.read(held.directory).ca == CA


def test_what_another_machine_came_to_own_is_not_undone_from_under_it(store: Store) -> None:
    orion, rigel = machine(store, "orion"), machine(store, "rigel")
    with pytest.raises(CheckFailed, match='the machine "rigel" has set it up since') as raised:
        check_not_lost(store, orion, serving(b"rigel and its key"))
    assert "machinectl rm --forget orion" in raised.value.hint
    check_not_lost(store, rigel, serving(b"rigel and its key"))


def test_an_undoing_says_whose_access_ends_with_it(store: Store) -> None:
    machine(store, "orion")
    console = Quiet()
    with store.writing("orion") as held:
        keys = (HolderKey("a" * 64, "2999-01-01T09:30:00Z"),)
        held.machine.holders = {"alice": AccessHolder("alice", keys=keys).dump()}
        held.write()
    warn_of_access(store, console, "orion", asks=False, undoes=True)
    assert console.warnings == ['The access of alice to the host of "orion" ends with its set-up']


def test_what_a_machine_of_another_store_came_to_own_is_not_undone_either(store: Store) -> None:
    theirs = serving(b"of another store", b"and its CA")
    with pytest.raises(CheckFailed, match="another machinectl has set it up since"):
        check_not_lost(store, machine(store, "orion"), theirs)


@pytest.mark.parametrize("host", [HOST, serving(b"put there by hand"), serving(b"orion and its key", b"by hand")])
def test_a_host_whose_certificates_were_replaced_by_hand_is_put_back_all_the_same(store: Store, host: Facts) -> None:
    check_not_lost(store, machine(store, "orion"), host)
