"""What a record asks of a host that was told, refused, or was not reached."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import CheckFailed, MachineError, UsageError
from machinectl.hosts import login, provisioning
from machinectl.hosts.editing import Edit
from machinectl.hosts.login import Login
from machinectl.hosts.provisioning import change_host
from machinectl.hosts.setup import Setup
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import PROVISION, Machine
from machinectl.provision.decision import EngineDown
from machinectl.provision.host_changes import FileCreated
from machinectl.ssh.ssh_errors import RootRefused, SSHError
from tests.support.quiet import Quiet
from tests.support.registered import added, register
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

GOOD, NEW = ("log-level=info",), ("log-level=wrong",)
EDIT = Edit(engine={"options": NEW}, labels={"role": "web"})


def orion(store: Store) -> Machine:
    machine = Machine("orion", "none", url="tcp://192.168.0.29:2376", tls=True)
    machine.engine = EngineOptions(options=GOOD)
    machine.changes = (FileCreated("/etc/docker/machinectl/ca.pem"),)
    return added(store, machine)


def told(store: Store, edit: Edit = EDIT) -> None:
    with store.writing("orion") as held:
        change_host(held, Quiet(), Login(), Setup(), edit)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Have a host that is logged in at end a run so, as no real one can be made to at will."""

    def by(why: BaseException) -> None:
        @contextmanager
        def at_host(*_: object) -> Iterator[SimpleNamespace]:
            def look() -> None:
                raise why

            yield SimpleNamespace(look=look, drains=ExitStack(), held=None)

        monkeypatch.setattr(provisioning, "at_host", at_host)

    return by


@pytest.mark.parametrize(
    "why",
    [EngineDown("it does not start"), CheckFailed("an image is being built"), UsageError("it has no flag=value")],
)
def test_a_host_that_refuses_is_asked_again_what_it_was_asked_before(
    store: Store, ends: Callable[[BaseException], None], why: MachineError
) -> None:
    orion(store)
    ends(why)
    with pytest.raises(type(why)):
        told(store)
    machine = store.read("orion")
    assert (machine.engine.options, machine.labels, machine.pending) == (GOOD, {}, "")


def test_one_that_had_not_been_told_all_before_is_still_to_be_told(
    store: Store, ends: Callable[[BaseException], None]
) -> None:
    orion(store)
    with store.writing("orion") as held:
        held.machine.pending = PROVISION
        held.write()
    ends(EngineDown("it does not start"))
    with pytest.raises(EngineDown):
        told(store)
    assert (store.read("orion").engine.options, store.read("orion").pending) == (GOOD, PROVISION)


@pytest.mark.parametrize("why", [MachineError("the connection was lost"), KeyboardInterrupt()])
def test_where_it_is_not_known_what_the_host_took_it_is_to_be_told(
    store: Store, ends: Callable[[BaseException], None], why: BaseException
) -> None:
    orion(store)
    ends(why)
    with pytest.raises(type(why)):
        told(store)
    machine = store.read("orion")
    assert (machine.engine.options, machine.labels, machine.pending) == (NEW, {"role": "web"}, PROVISION)


def test_a_host_that_is_not_reached_was_asked_nothing(store: Store, sshd: Sshd) -> None:
    machine = register(store, "orion", sshd)
    with store.writing("orion") as held:
        held.machine.driver_state = machine.driver_state.replace(f'"SSHPort": {sshd.port}', '"SSHPort": 1')
        held.machine.changes = (FileCreated("/etc/docker/machinectl/ca.pem"),)
        held.write()
    with pytest.raises(SSHError):
        told(store)
    found = store.read("orion")
    assert (found.engine.options, found.labels, found.pending) == ((), {}, "")
    with pytest.raises(SSHError):
        told(store, Edit(options={"generic-ssh-user": "joe"}, labels={"role": "web"}))
    again = store.read("orion")
    assert (again.driver_state, again.options, again.pending) == (found.driver_state, {}, "")
    # A key takes the place of the one before, and there is none to go back to.
    with pytest.raises(SSHError):
        told(store, Edit(options={"generic-ssh-key": str(sshd.key_path)}, labels={"role": "web"}))
    found = store.read("orion")
    assert (found.options, found.labels, found.pending) == ({"generic-ssh-key": str(sshd.key_path)}, {}, PROVISION)


def test_the_key_of_another_host_is_let_go_with_it(
    store: Store, sshd: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = register(store, "orion", sshd, pinned=False)
    before = b"machinectl " + keygen(tmp_path / "key_of_the_old_host").with_suffix(".pub").read_bytes()
    with store.writing("orion") as held:
        held.machine.driver_state = machine.driver_state.replace(f'"SSHPort": {sshd.port}', '"SSHPort": 1')
        held.write_file("known_hosts", before)
        held.write()

    def refused(*_: object) -> None:
        raise RootRefused("no root here")

    monkeypatch.setattr(login, "root_runner", refused)
    moved = Edit(options={"generic-ssh-port": sshd.port})
    with pytest.raises(RootRefused), store.writing("orion") as held:
        change_host(held, Quiet(), Login(host_key=sshd.fingerprint()), Setup(), moved)
    assert Path(store.directory("orion"), "known_hosts").read_bytes() == before
    assert '"SSHPort": 1,' in store.read("orion").driver_state
