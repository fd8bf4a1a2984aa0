"""A host that docker-machine set up: it is asked before that is taken over, and the machine gets a CA of its own."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.engine import Probe
from machinectl.errors import CheckFailed
from machinectl.hosts.engine_restart import World
from machinectl.hosts.host_run import DryRun, RealRun
from machinectl.hosts.setup import Setup
from machinectl.machines.config_json import Origin
from machinectl.machines.record import Machine
from machinectl.provision.facts.host_facts import DROP_INS
from machinectl.provision.target import Allowed
from machinectl.state import State
from tests.support.docker_machine import OldStore, drop_in
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.runner import RecordedHost

if TYPE_CHECKING:
    from machinectl.hosts.host_plan import Outcome
    from machinectl.machines.store import Store

QUESTION = "Set the host up anyway?"


class DockerMachines(RecordedHost):
    """A recorded host with docker-machine's drop-in, or with one that somebody edited and a CA in its file."""

    def __init__(self, edited: bytes = b"") -> None:
        super().__init__("docker")
        text = drop_in("generic", "overlay2", {}, dockerd="/usr/sbin/dockerd")
        if edited:
            text = text.replace("--label provider=generic ", "")
            trusted = b"@trusted\n|" + base64.b64encode(edited) + b"\n\n@end"
            self.facts = self.facts.replace(b"@end", trusted)
        lines = "".join(f"|{line}\n" for line in ["", f"# {DROP_INS}/10-machine.conf", *text.splitlines()])
        head, _, rest = self.facts.partition(b"@unit\n")
        unit, _, tail = rest.partition(b"\n@")
        self.facts = head + b"@unit\n" + unit + b"\n" + lines.encode() + b"@" + tail


@pytest.fixture
def old(tmp_path: Path) -> OldStore:
    return OldStore(tmp_path / "old")


@pytest.fixture(autouse=True)
def machine(store: Store, old: OldStore) -> Machine:
    """A machine as `import` leaves it."""
    new = Machine("web", "generic", url="tcp://192.168.0.29:2376", tls=True)
    new.origin = Origin("/old", "web", "generic").dump()
    files = {"ca.pem": old.ca.certificate, "cert.pem": old.client.certificate, "key.pem": old.client.key}
    return added(store, new, files)


def carried_out(store: Store, host: RecordedHost, console: Quiet, allowed: Allowed = Allowed()) -> list[Outcome]:  # noqa: B008 - it is frozen
    world = World(lambda _: None, lambda _, __: Probe(State.RUNNING), lambda _, __: None)
    with store.writing("web") as held:
        return list(Setup(allowed, world=world).carry_out(RealRun(held, console, host)).outcomes)


def contents(store: Store) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(store.directory("web")).iterdir() if path.is_file()}


def test_who_agrees_has_a_machine_with_a_ca_of_its_own(store: Store, old: OldStore) -> None:
    console, host = Quiet("yes"), DockerMachines()
    carried_out(store, host, console)
    assert console.asked == [QUESTION]
    assert "locked out" in console.warnings[0]
    assert len(host.jobs) == 1
    files = contents(store)
    certs.ca_pair(files["ca.pem"], files["ca-key.pem"])
    certs.client_bundle(files["ca.pem"], files["cert.pem"], files["key.pem"])
    assert old.ca.certificate not in files["ca.pem"]
    assert store.read_ready("web").changes


def test_a_host_that_uses_the_imported_ca_is_docker_machines_without_its_label_too(store: Store, old: OldStore) -> None:
    console = Quiet("yes")
    carried_out(store, DockerMachines(edited=old.ca.certificate), console)
    assert console.asked == [QUESTION]
    assert "ca-key.pem" in contents(store)


def test_a_host_without_its_label_that_uses_other_cas_is_refused(store: Store, old: OldStore) -> None:
    other = certs.new_ca("other").certificate
    for trusted in (other, old.ca.certificate + other):
        with pytest.raises(CheckFailed, match="with another CA"):
            carried_out(store, DockerMachines(edited=trusted), Quiet("yes"))


@pytest.mark.parametrize("console", [Quiet("no"), Quiet(False, interactive=False)])
def test_who_does_not_agree_has_nothing_changed(store: Store, console: Quiet) -> None:
    before, host = contents(store), DockerMachines()
    with pytest.raises(CheckFailed, match="was not changed") as raised:
        carried_out(store, host, console)
    assert "machinectl provision --yes web" in raised.value.hint
    assert host.jobs == []
    assert contents(store) == before


@pytest.mark.parametrize("allowed", [Allowed(yes=True), Allowed(force=True)])
def test_who_said_so_before_is_told_and_not_asked(store: Store, allowed: Allowed) -> None:
    console = Quiet()
    carried_out(store, DockerMachines(), console, allowed)
    assert console.asked == []
    assert "locked out" in console.warnings[0]


def test_a_plan_tells_of_it_and_asks_nobody(store: Store) -> None:
    console, host = Quiet(), DockerMachines()
    plan = Setup(world=World(script=lambda _: None, reach=lambda _, __: None)).carry_out(
        DryRun(store, store.read("web"), console, host)
    )
    assert [outcome.title for outcome in plan.outcomes if outcome.changed] == [
        "Configuring the engine and restarting it"
    ]
    assert "locked out" in console.warnings[0]
    assert host.jobs == []


def test_one_that_was_registered_by_hand_with_docker_machines_certificates_is_taken_over_too(store: Store) -> None:
    with store.writing("web") as held:
        held.machine.origin = {}
        held.write()
    carried_out(store, DockerMachines(), Quiet("yes"))
    assert "ca-key.pem" in contents(store)
