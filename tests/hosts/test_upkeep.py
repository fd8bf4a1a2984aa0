"""What comes before the engine of a host in use is restarted, decided on hosts as they were read in the lab."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import CheckFailed
from machinectl.hosts.upkeep import ready_to_restart
from machinectl.machines.record import Machine
from machinectl.provision import resource
from machinectl.provision.wish import Wish
from tests.support.quiet import Quiet

if TYPE_CHECKING:
    from machinectl.machines.store import Store

FACTS = Path(__file__).parents[1] / "provision" / "facts"


@dataclass
class Result:
    status: int
    stdout: bytes
    stderr: bytes = b""


class Host:
    """A host as it was read once; the jobs that it is given succeed, and are kept."""

    def __init__(self, name: str) -> None:
        self.facts = (FACTS / name).read_bytes()
        self.jobs: list[str] = []

    def run(
        self,
        script: str,
        *,
        input: bytes = b"",
        timeout: float = 0,
        check: bool = True,
        shown: str = "",
    ) -> Result:
        if script != resource("launch.sh"):
            return Result(0, self.facts)
        with tarfile.open(fileobj=io.BytesIO(input)) as archive:
            job = archive.extractfile("job.sh")
            assert job is not None
            self.jobs.append(job.read().decode())
        return Result(0, b"")


@pytest.fixture
def machine(store: Store) -> Machine:
    machine = Machine("orion", "generic", url="tcp://192.0.2.29:2376", tls=True)
    with store.lock("orion"):
        store.add(machine, {})
    return machine


def ready(store: Store, machine: Machine, host: Host, *, restart_swarm: bool = False) -> list[str]:
    """The titles of what was done on the host."""
    console = Quiet()
    ready_to_restart(store, console, machine, host, Wish.of(machine, restart_swarm=restart_swarm))
    return console.said


def test_an_engine_with_live_restore_needs_nothing(store: Store, machine: Machine) -> None:
    host = Host("provisioned")
    assert ready(store, machine, host) == []
    assert host.jobs == []


def test_containers_are_kept_by_a_reload_first_and_the_record_knows_before_the_host_does(
    store: Store, machine: Machine
) -> None:
    host = Host("docker-with-a-container")
    assert ready(store, machine, host) == ["Keeping 1 container running: live-restore, by a reload"]
    [job] = host.jobs
    assert "action=reload" in job
    assert "config" in [change["kind"] for change in store.read("orion").changes]


def test_a_swarm_node_is_not_restarted_without_leave_and_gets_no_live_restore(store: Store, machine: Machine) -> None:
    host = Host("swarm-node")
    with pytest.raises(CheckFailed) as raised:
        ready(store, machine, host)
    assert "Swarm node" in raised.value.cause
    assert "--restart-swarm" in raised.value.hint
    assert ready(store, machine, host, restart_swarm=True) == []
    assert host.jobs == []


def test_a_host_without_an_engine_has_none_to_restart(store: Store, machine: Machine) -> None:
    with pytest.raises(CheckFailed, match="There is no Docker Engine"):
        ready(store, machine, Host("bare"))


def test_what_an_interrupted_run_left_is_put_back_first(store: Store, machine: Machine) -> None:
    host = Host("provisioned")
    host.facts = host.facts.replace(b"\n@end", b"\n@transaction applying\n\n@end")
    assert ready(store, machine, host) == ["Putting back what an interrupted run left half done"]
    assert "recover" in host.jobs[0]
