"""Records that earlier versions wrote, as they wrote them: read, gone on with, and undone."""

from __future__ import annotations

import json
from pathlib import Path

from machinectl.hosts.host_plan import target_of
from machinectl.machines.record import Machine, Phase, parse_record
from machinectl.machines.spec import MachineSpec
from machinectl.provision.facts import host_facts
from machinectl.provision.host_changes import KINDS, ConfigMerged, of_kind
from tests.provision.test_steps import set_up_by_0_1, undo

RECORDED = Path(__file__).with_name("records")
HOSTS = Path(__file__).parents[1] / "provision" / "facts"


def orion() -> Machine:
    """A server with a container that 0.1 had made a Docker host, in two steps."""
    return parse_record("orion", (RECORDED / "0.1-generic.json").read_bytes())


def test_a_record_of_0_1_says_what_the_machine_is_and_shall_be() -> None:
    machine = orion()
    assert (machine.phase, machine.url, machine.tls) == (Phase.READY, "tcp://10.66.1.11:2376", True)
    assert machine.spec == MachineSpec("generic", {}, True, {"a": "b"})
    assert machine.mac == "02:00:0a:42:01:01"
    assert {type(change) for change in machine.changes} <= set(KINDS.values())
    target = target_of(machine)
    assert (target.address, target.port, target.labels, len(target.own_cas)) == ("10.66.1.11", 2376, {"a": "b"}, 1)


def test_nothing_of_a_record_of_0_1_is_lost_where_it_is_written_anew() -> None:
    before = json.loads((RECORDED / "0.1-generic.json").read_text())
    after = json.loads(orion().dump())
    assert after["mac"] == before.pop("engine")["mac"]
    assert {key: after[key] for key in before} == before


def test_what_0_1_did_on_a_host_is_undone_by_its_record() -> None:
    host = set_up_by_0_1(host_facts.parse_facts((HOSTS / "provisioned").read_bytes()))
    changes = orion().changes
    [config] = of_kind(changes, ConfigMerged)
    [taken_out, *_] = undo(host, changes, purge_engine=False)
    gone = {line.removeprefix("- ") for line in taken_out.job.files["manifest"].decode().splitlines()}
    assert config.path in " ".join(gone)
    assert {f"/etc/docker/machinectl/{name}" for name in ("ca.pem", "server.pem", "server-key.pem")} <= gone
