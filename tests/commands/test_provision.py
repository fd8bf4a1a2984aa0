"""The command around the steps, on a host that only answers: certificates, the record, and what a failure leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.engine import Probe
from machinectl.errors import CheckFailed, MachineError
from machinectl.hosts.setup import CERTIFICATES, World, certificates, provision
from machinectl.machines.record import Machine, Phase
from machinectl.provision.decision import EngineDown
from machinectl.provision.wish import Wish
from machinectl.state import State
from tests.support.quiet import Quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.machines.store import Store

FACTS = Path(__file__).parents[1] / "provision" / "facts"
ADDRESS = "192.168.0.29"


@dataclass(frozen=True)
class Answer:
    status: int
    stdout: bytes
    stderr: bytes = b""


class Recorded:
    """A host that answers with recorded facts, and ends each job with a status."""

    def __init__(self, name: str, status: int = 0, at_work: Callable[[], None] = lambda: None) -> None:
        now = f"@clock {datetime.now(UTC).timestamp():.0f}".encode()
        lines = (FACTS / name).read_bytes().split(b"\n")
        self.facts = b"\n".join(now if line.startswith(b"@clock") else line for line in lines)
        self.status = status
        self.at_work = at_work
        self.jobs = 0

    def run(
        self,
        script: str,
        *,
        input: bytes = b"",
        timeout: float = 60,
        check: bool = True,
        shown: str = "",
    ) -> Answer:
        if not input:
            return Answer(0, self.facts)
        self.jobs += 1
        self.at_work()
        assert "PRIVATE KEY" not in script
        return Answer(self.status, b"journal: it does not start\n")


def answering(state: State, error: str = "") -> World:
    return World(script=lambda _: None, probe=lambda _, __: Probe(state, error=error))


@pytest.fixture
def machine(store: Store) -> Machine:
    new = Machine("orion", "generic", url=f"tcp://{ADDRESS}:2376", tls=True)
    new.phase = Phase.CREATING
    store.add(new, {})
    return new


def carried_out(store: Store, machine: Machine, host: Recorded, world: World | None = None) -> list[str]:
    outcomes = provision(
        store,
        Quiet(),
        machine,
        host,
        Wish(ADDRESS, install="distro"),
        world=world or answering(State.RUNNING),
    )
    return [outcome.title for outcome in outcomes if outcome.changed]


def files(store: Store) -> dict[str, bytes]:
    directory = Path(store.directory("orion"))
    return {name: (directory / name).read_bytes() for name in CERTIFICATES if (directory / name).exists()}


def test_a_machine_is_ready_when_its_engine_has_answered(store: Store, machine: Machine) -> None:
    assert carried_out(store, machine, Recorded("docker")) == ["Configuring the engine and restarting it"]
    assert store.read("orion").phase is Phase.READY
    assert store.read("orion").engine["mac"].startswith("02:00:0a:42")
    assert set(files(store)) == set(CERTIFICATES)


def test_what_will_be_changed_is_on_record_before_it_is(store: Store, machine: Machine) -> None:
    seen = []
    carried_out(store, machine, Recorded("docker", at_work=lambda: seen.append(store.read("orion"))))
    [record] = seen
    assert record.phase is Phase.PROVISIONING
    assert {change["kind"] for change in record.changes} >= {"config", "file", "ca", "directory"}


def test_an_engine_that_does_not_answer_leaves_a_machine_that_can_be_resumed(store: Store, machine: Machine) -> None:
    with pytest.raises(MachineError) as raised:
        carried_out(store, machine, Recorded("docker"), answering(State.TIMEOUT, "it does not answer within 10 s"))
    assert "cannot be reached from here" in raised.value.cause
    assert "port 2376/tcp" in raised.value.hint
    assert store.read("orion").phase is Phase.PROVISIONING
    before = files(store)
    carried_out(store, machine, Recorded("docker"))
    assert files(store) == before


def test_a_host_that_is_refused_changes_nothing_here(store: Store, machine: Machine) -> None:
    before = store.read("orion").dump()
    with pytest.raises(CheckFailed):
        carried_out(store, machine, Recorded("swarm-node"))
    assert store.read("orion").dump() == before
    assert files(store) == {}


def test_where_the_host_gets_its_old_configuration_back_so_does_the_machine(store: Store, machine: Machine) -> None:
    carried_out(store, machine, Recorded("docker"))
    before = files(store)
    machine = store.read("orion")
    with pytest.raises(EngineDown, match="journal: it does not start"):
        provision(
            store,
            Quiet(),
            machine,
            Recorded("docker", status=3),
            Wish(ADDRESS),
            authority=certs.new_ca("another"),
            world=answering(State.RUNNING),
        )
    assert files(store) == before
    assert store.read("orion").phase is Phase.READY


def test_certificates_that_are_good_are_kept_and_the_others_are_made_anew(store: Store, machine: Machine) -> None:
    def put(made: dict[str, bytes]) -> None:
        for name, text in made.items():
            store.write_file("orion", name, text)

    first = certificates(store, machine, [ADDRESS], None)
    put(first)
    assert certificates(store, machine, [ADDRESS], None) == first
    more = certificates(store, machine, [ADDRESS, "Orion.local"], None)
    assert {name for name in first if first[name] != more[name]} == {"server.pem", "server-key.pem"}
    put(more)
    assert certificates(store, machine, [ADDRESS, "orion.LOCAL"], None) == more
    ca = certs.Pair(first["ca.pem"], first["ca-key.pem"])
    old = certs.issue_client(ca, "orion", now=datetime.now(UTC) + timedelta(days=3))
    put({"cert.pem": old.certificate, "key.pem": old.key})
    assert certificates(store, machine, [ADDRESS, "orion.local"], None)["cert.pem"] != old.certificate


def test_a_ca_that_was_given_signs(store: Store, machine: Machine) -> None:
    given = certs.new_ca("ours")
    assert certificates(store, machine, [ADDRESS], given)["ca.pem"] == given.certificate


def test_certificates_of_somebody_elses_ca_are_never_overwritten(store: Store, machine: Machine) -> None:
    for name, text in certificates(store, machine, [ADDRESS], None).items():
        if name in {"ca.pem", "cert.pem", "key.pem"}:
            store.write_file("orion", name, text)
    before = files(store)
    with pytest.raises(MachineError, match="a CA whose key is not here"):
        carried_out(store, machine, Recorded("docker"))
    assert files(store) == before
