"""What comes before the engine of a host in use is restarted, decided on hosts as they were read in the lab."""

from __future__ import annotations

import base64
import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.errors import CheckFailed, Hint, MachineError
from machinectl.hosts.engine_restart import restart_steps
from machinectl.hosts.host_plan import target_of
from machinectl.hosts.host_run import HostStep, RealRun, carry_out
from machinectl.hosts.purging import Purge
from machinectl.machines.record import Machine
from machinectl.provision.decision import EngineDown, EngineStopped
from machinectl.provision.host_changes import ConfigMerged, FileCreated, LiveRestoreChanged, of_kind
from machinectl.provision.target import Allowed
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.runner import RecordedHost

if TYPE_CHECKING:
    from machinectl.machines.store import Store


@pytest.fixture
def machine(store: Store) -> Machine:
    machine = Machine("orion", "generic", url="tcp://192.0.2.29:2376", tls=True)
    return added(store, machine)


def ready(store: Store, machine: Machine, host: RecordedHost, console: Quiet | None = None, **once: Any) -> list[str]:
    """The titles of what was done on the host."""
    console = console or Quiet()
    with store.writing(machine.name) as held:
        steps = restart_steps(target_of(machine), Allowed(**once), lambda _: None)
        *preparing, _end_drain, _give_back, _prove = steps
        carry_out(RealRun(held, console, host), preparing)
    assert console.said.pop(0) == "Looking at the host"
    return console.said


def test_an_engine_with_live_restore_needs_nothing(store: Store, machine: Machine) -> None:
    host = RecordedHost("provisioned")
    assert ready(store, machine, host) == []
    assert host.jobs == []


def test_containers_are_kept_by_a_reload_first_and_the_record_knows_before_the_host_does(
    store: Store, machine: Machine
) -> None:
    host = RecordedHost("docker-with-a-container")
    assert ready(store, machine, host) == ["Keeping 1 container running: live-restore, by a reload"]
    [job] = host.jobs
    assert "action=reload" in job
    assert of_kind(store.read("orion").changes, ConfigMerged)


@pytest.mark.parametrize("failure", [None, MachineError("it fails", Hint("try again")), KeyboardInterrupt()])
def test_live_restore_is_recorded_until_it_is_restored(
    store: Store, machine: Machine, failure: BaseException | None
) -> None:
    host, console = RecordedHost("docker-with-a-container"), Quiet()
    expected = pytest.raises(type(failure)) if failure else nullcontext()

    def change(_: object) -> None:
        assert of_kind(store.read("orion").changes, LiveRestoreChanged)
        if failure:
            raise failure

    steps = restart_steps(target_of(machine), Allowed(), lambda _: None, HostStep("Change it", change))
    with store.writing(machine.name) as held, expected:
        carry_out(RealRun(held, console, host), steps)
    # Whoever presses ^C may have lost the host: the next run gives it back.
    left = isinstance(failure, KeyboardInterrupt)
    changes = store.read("orion").changes
    assert bool(of_kind(changes, LiveRestoreChanged)) == left
    # The file that was made for it is gone again.
    assert bool(changes) == left
    assert ["machinectl provision orion" in warning for warning in console.warnings] == [True] * left


@pytest.mark.parametrize(("engine", "command"), [(False, "rm --purge orion"), (True, "rm --purge-engine orion")])
def test_an_undoing_that_was_interrupted_is_finished_by_the_same_command(
    store: Store, machine: Machine, *, engine: bool, command: str
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    host, console = RecordedHost("docker-with-a-container", at_work=interrupt), Quiet()
    with store.writing(machine.name) as held:
        held.machine.changes = [
            FileCreated("/etc/docker/machinectl/ca.pem"),
            LiveRestoreChanged("/etc/docker/daemon.json", before=None),
            ConfigMerged("/etc/docker/daemon.json", None, "644", {"tlsverify": True}, ""),
        ]
        # The engine uses our configuration.
        there = base64.b64encode(b'{"tlsverify": true}')
        host.facts = host.facts.replace(b"\n@end", b"\n@file 644 0 0 /etc/docker/daemon.json\n|" + there + b"\n\n@end")
        with pytest.raises(KeyboardInterrupt):
            Purge(engine=engine).carry_out(RealRun(held, console, host))
    assert console.warnings[-1].endswith(f"Restore it: machinectl {command}")


def test_live_restore_stays_while_the_engine_is_down_because_its_start_would_end_the_containers(
    store: Store, machine: Machine
) -> None:
    host = RecordedHost("docker-with-a-container")

    def fail(_: object) -> None:
        on = base64.b64encode(b'{"live-restore": true}')
        facts = host.facts.replace(b"ActiveState=active", b"ActiveState=failed")
        facts = re.sub(rb"\n@info\n(\|.*\n)+", b"\n", facts)
        host.facts = facts.replace(b"\n@end", b"\n@file 644 0 0 /etc/docker/daemon.json\n|" + on + b"\n\n@end")
        raise EngineDown("it starts neither so nor so", Hint("Look on the host", "journalctl"))

    with store.writing(machine.name) as held:
        steps = restart_steps(target_of(machine), Allowed(), lambda _: None, HostStep("Fail", fail))
        with pytest.raises(EngineDown) as raised:
            carry_out(RealRun(held, Quiet(), host), steps)
    assert len(host.jobs) == 1
    assert of_kind(store.read("orion").changes, LiveRestoreChanged)
    look, keep, start, back = raised.value.hint.split("; ")
    assert look == "Look on the host: journalctl"
    assert "live-restore stays on in /etc/docker/daemon.json" in keep
    assert (keep.endswith("then: systemctl reset-failed docker"), start) == (True, "systemctl start docker")
    assert back.endswith("machinectl provision orion")


@pytest.mark.parametrize("unit", [b"docker.service", b"docker.socket"])
def test_an_engine_whose_masked_units_would_not_start_again_is_not_touched(
    store: Store, machine: Machine, unit: bytes
) -> None:
    host = RecordedHost("docker-with-a-container")
    before, _, after = host.facts.partition(b"Id=" + unit)
    host.facts = before + b"Id=" + unit + after.replace(b"LoadState=loaded", b"LoadState=masked", 1)
    with pytest.raises(CheckFailed, match=rf"{unit.decode()} on the host is masked"):
        ready(store, machine, host)
    assert not host.jobs


def test_a_swarm_node_is_not_restarted_without_leave_and_gets_no_live_restore(store: Store, machine: Machine) -> None:
    host = RecordedHost("swarm-node")
    with pytest.raises(CheckFailed) as raised:
        ready(store, machine, host)
    assert "Swarm node" in raised.value.cause
    assert "--restart-swarm" in raised.value.hint
    assert ready(store, machine, host, restart_swarm=True) == []
    assert host.jobs == []


def test_a_setting_of_somebodys_that_would_hide_containers_is_not_put_into_effect(
    store: Store, machine: Machine
) -> None:
    host = RecordedHost("docker-with-a-container")
    host.facts = host.facts.replace(b'|{"ServerVersion"', b'|{"DockerRootDir":"/elsewhere","ServerVersion"')
    with pytest.raises(CheckFailed, match="data-root is /elsewhere now") as raised:
        ready(store, machine, host)
    assert "--force" in raised.value.hint
    assert host.jobs == []
    ready(store, machine, host, force=True)
    assert host.jobs


def test_commands_that_units_consist_of_and_that_are_attached_are_found_before_the_restart(
    store: Store, machine: Machine
) -> None:
    host = RecordedHost("provisioned")
    host.facts = host.facts.replace(b"\n@end", b"\n@client 7 exec \n@client 8 run web.service\n@end")
    with pytest.raises(CheckFailed, match=r"web\.service") as raised:
        ready(store, machine, host)
    assert "--force" in raised.value.hint
    console = Quiet()
    ready(store, machine, host, console, force=True)
    assert "attached to it (exec, web.service)" in console.warnings[0]


def test_a_build_and_a_unit_that_systemd_has_not_read_are_found_before_the_restart(
    store: Store, machine: Machine
) -> None:
    for fact, cause in ((b"@client 7 build ", "image is being built"), (b"", "not read by systemd")):
        host = RecordedHost("provisioned")
        unread = b"" if fact else b"|NeedDaemonReload=yes\n"
        host.facts = host.facts.replace(b"|LoadState=", unread + b"|LoadState=").replace(
            b"\n@end", b"\n" + fact + b"\n@end"
        )
        with pytest.raises(CheckFailed, match=cause):
            ready(store, machine, host)
        ready(store, machine, host, force=True)


def test_an_engine_that_somebody_has_stopped_is_started_only_if_that_is_allowed(store: Store, machine: Machine) -> None:
    host = RecordedHost("provisioned")
    host.facts = host.facts.replace(b"ActiveState=active", b"ActiveState=inactive")
    with pytest.raises(EngineStopped, match='The engine of "orion" does not run'):
        ready(store, machine, host, start=False)
    assert host.jobs == []
    assert ready(store, machine, host) == []
    with pytest.raises(CheckFailed, match="There is no Docker Engine"):
        ready(store, machine, RecordedHost("bare"))
    # One that an interrupted run has stopped is put back.
    host.facts = host.facts.replace(b"\n@end", b"\n@transaction applying\n@end")
    restored = ready(store, machine, host, start=False)
    assert restored == ["Restoring what an interrupted run left half done"]
