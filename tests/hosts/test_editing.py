"""Settings that `set` records: whether `provision` must apply them."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.engine import Probe
from machinectl.errors import MachineError
from machinectl.hosts import host_run, provisioning
from machinectl.hosts.editing import Edit
from machinectl.hosts.engine_restart import World
from machinectl.hosts.identity import CLIENT_FILES
from machinectl.hosts.login import Login
from machinectl.hosts.setup import Setup
from machinectl.machines.record import PROVISION, Machine
from machinectl.provision.host_changes import FileCreated
from machinectl.state import State
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.runner import RecordedHost

if TYPE_CHECKING:
    from machinectl.machines.store import Store

STATE = '{"IPAddress": "192.0.2.29", "SSHUser": "root", "SSHPort": 22, "EnginePort": 2376}'
SSH_ONLY, LISTENING = Edit(engine={"ssh_only": True}), Edit(engine={"ssh_only": False})


@pytest.fixture(autouse=True)
def orion(store: Store) -> Machine:
    machine = Machine("orion", "generic", url="tcp://192.0.2.29:2376", tls=True, driver_state=STATE)
    machine.changes = (FileCreated("/etc/docker/machinectl/ca.pem"),)
    return added(store, machine, dict.fromkeys(CLIENT_FILES, b""))


def edited(store: Store, *edits: Edit) -> str:
    """Make the edits, each as one command; return what is pending."""
    for edit in edits:
        with store.writing("orion") as held:
            assert edit.carry_out(held) == bool(held.machine.pending)
    return store.read("orion").pending


def test_a_setting_that_is_taken_back_leaves_nothing_to_apply(store: Store) -> None:
    assert edited(store, SSH_ONLY) == PROVISION
    assert edited(store, LISTENING) == ""
    assert edited(store, LISTENING) == ""
    assert store.read("orion").applied == {}


def test_it_is_applied_while_another_one_waits(store: Store) -> None:
    assert edited(store, Edit(labels={"role": "web"}), SSH_ONLY, LISTENING) == PROVISION
    assert edited(store, Edit(unlabel=["role"])) == ""


def test_a_machine_that_waited_before_goes_on_waiting(store: Store) -> None:
    with store.writing("orion") as held:
        held.machine.pending = PROVISION
        held.write()
    assert edited(store, SSH_ONLY, LISTENING) == PROVISION


@pytest.mark.parametrize(("is_changed", "pending"), [(True, PROVISION), (False, "")])
def test_after_a_run_that_failed_only_a_host_that_was_not_touched_has_its_settings(
    store: Store, monkeypatch: pytest.MonkeyPatch, is_changed: bool, pending: str
) -> None:
    edited(store, Edit(labels={"role": "web"}))
    host = RecordedHost("docker", status=5, valid=is_changed)
    monkeypatch.setattr(host_run, "logged_in_as_root", lambda *_, **__: nullcontext(host))
    world = World(script=lambda _: None, probe=lambda *_: Probe(State.RUNNING), reach=lambda *_: None)
    if not is_changed:
        host.facts = host.facts.replace(b"@init systemd", b"@init other")
    with pytest.raises(MachineError), store.writing("orion") as held:
        provisioning.provision(held, Quiet(), Login(), Setup(world=world))
    assert bool(host.jobs) == is_changed
    assert edited(store, Edit(unlabel=["role"])) == pending


def fill_certificates(store: Store) -> None:
    """Leave none empty: `set` would warn of it."""
    for name in CLIENT_FILES:
        Path(store.directory("orion"), name).write_bytes(b"\n")


def test_a_new_address_is_applied_as_the_certificate_does_not_name_it(store: Store) -> None:
    fill_certificates(store)
    said = machinectl("set", "--url", "tcp://192.0.2.30:2376", "orion", store=store.root).stderr
    assert "\n  Apply it to the host: machinectl provision orion\n" in said
    said = machinectl("set", "--url", "tcp://192.0.2.30:2376", "orion", store=store.root).stderr
    assert "provision" not in said


@pytest.mark.parametrize("tls", [True, False])
def test_a_new_url_replaces_one_of_an_earlier_version_that_is_refused_now(store: Store, tls: bool) -> None:
    old = "tcp://192.0.2.029:2376"
    added(store, Machine("vega", "none", url=old, tls=tls, driver_state=f'{{"URL": "{old}"}}'))
    done = machinectl("set", "--url", "tcp://192.0.2.29:2376", "vega", store=store.root)
    assert done.returncode == 0, done.stderr
    assert (store.read("vega").url, store.read("vega").tls) == ("tcp://192.0.2.29:2376", tls)
