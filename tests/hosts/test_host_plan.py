"""What a plan tells of a host, and of what a file would become."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from machinectl.hosts.engine_restart import World
from machinectl.hosts.host_plan import config_diff, correction
from machinectl.hosts.host_run import DryRun
from machinectl.hosts.purging import Purge
from machinectl.hosts.setup import Setup
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine, Phase
from machinectl.provision.decision import Decision, not_applied
from machinectl.provision.facts import host_facts
from machinectl.provision.facts.host_facts import Facts, parse_facts
from machinectl.provision.host_changes import ConfigMerged, FileCreated
from machinectl.provision.job import Activation, NewFile, apply_job
from machinectl.provision.steps.engine_config import with_files
from tests.support.quiet import Quiet
from tests.support.runner import FACTS, RecordedHost

if TYPE_CHECKING:
    from machinectl.machines.store import Store


def recorded(name: str) -> host_facts.Facts:
    return host_facts.parse_facts(RecordedHost(name).facts)


def test_a_change_of_daemon_json_is_told_as_a_diff_without_passwords() -> None:
    host = recorded("docker")
    text = {"proxies": "http://ann:se@cret@proxy:3128", "tlsverify": True, "log-opts": {"splunk-token": "secret"}}
    new = json.dumps(text, indent=4).encode()
    files = [NewFile("/etc/docker/machinectl/ca.pem", "644", b"CA"), NewFile(host.config_path, "644", new)]
    after = with_files(host, files)
    told = config_diff(
        host, Decision("t", (), apply_job(files, Activation("restart"), init="systemd"), after, not_applied)
    )
    assert '+    "tlsverify": true,' in told
    assert "cret" not in "".join(told)
    assert '+    "proxies": "http://ann:***@proxy:3128",' in told
    assert (
        config_diff(
            host, Decision("t", (), apply_job(files[:1], Activation("restart"), init="systemd"), host, not_applied)
        )
        == ()
    )


@pytest.mark.parametrize("name", ["docker", "bare"])
def test_a_plan_changes_nothing_and_says_what_create_would_do(store: Store, name: str) -> None:
    host = RecordedHost(name)
    machine = Machine("orion", "generic", url="tcp://192.0.2.1:2376", tls=True, directory=store.directory("orion"))
    plan = Setup(world=World(script=lambda _: None, reach=lambda _, __: None)).carry_out(
        DryRun(store, machine, Quiet(), host)
    )
    assert host.jobs == []
    assert store.names() == []
    would = [outcome for outcome in plan.outcomes if outcome.changed]
    assert would[-1].title == "Configuring the engine and restarting it"
    assert (len(would) > 1) == (name == "bare")
    assert any('"tlsverify": true' in line for line in would[-1].details)


def test_a_dry_run_of_undoing_changes_nothing_and_shows_daemon_json(store: Store) -> None:
    host = RecordedHost("provisioned")
    machine = Machine("orion", "generic", url="tcp://192.0.2.1:2376", tls=True, directory=store.directory("orion"))
    ours = recorded("provisioned").files["/etc/docker/daemon.json"].content
    machine.changes = before = (ConfigMerged("/etc/docker/daemon.json", None, "644", json.loads(ours), ""),)
    [removing, *_] = Purge().carry_out(DryRun(store, machine, Quiet(), host)).outcomes
    assert removing.title.startswith("Removing our configuration from the engine")
    assert '-    "tlsverify": true,' in removing.details
    assert (host.jobs, store.names(), machine.changes) == ([], [], before)


@pytest.fixture
def host() -> Facts:
    return parse_facts((FACTS / "docker").read_bytes())


def orion(*options: str) -> Machine:
    machine = Machine("orion", "none", url="tcp://127.0.0.1:1", tls=False)
    machine.engine = EngineOptions(options=options)
    machine.phase = Phase.READY
    machine.changes = [FileCreated("/etc/docker/daemon.json")]
    return machine


@pytest.mark.parametrize(
    ("fleet", "command"),
    [
        ("", "machinectl set orion --help; then apply it: machinectl provision orion"),
        ("lan", "machinectl apply -f <FILE> orion"),
        ("/srv/my fleet.yaml", "machinectl apply -f '/srv/my fleet.yaml' orion"),
    ],
)
def test_what_dockerd_refuses_is_corrected_in_the_settings_or_in_the_fleet_file(
    host: Facts, fleet: str, command: str
) -> None:
    machine = orion()
    machine.fleet = fleet
    assert correction(machine, host).endswith(command)
    machine.phase, machine.changes = Phase.CREATING, []
    assert correction(machine, host).endswith("then run the same command again")
