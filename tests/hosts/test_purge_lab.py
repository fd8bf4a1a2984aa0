"""What provisioning did to real servers is undone: containers run on, the host is as it was, whatever came between."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.errors import CheckFailed
from machinectl.hosts.host_run import RealRun
from machinectl.provision.decision import EngineDown
from machinectl.provision.host_changes import FileCreated, LiveRestoreChanged, PackageInstalled
from machinectl.provision.steps import live_restore, undo_steps
from tests.hosts.test_setup_lab import Bench, changed, files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.machines.store import Store
    from machinectl.provision.host_changes import Change
    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host


pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.parametrize("ways", ["system first"], indirect=True),
    pytest.mark.usefixtures("ways"),
]

RELOAD = "systemctl reload docker; until docker info -f '{{.LiveRestoreEnabled}}' | grep -q %s; do sleep 0.1; done"
TAKING_OUT = "Removing our configuration from the engine"
KEEPING = "Keeping 1 container running: live-restore, by a reload"
OFF = "Turning live-restore off (as before)"


def record(store: Store, changes: Sequence[Change]) -> None:
    """Have only these changes on record."""
    with store.writing("orion") as held:
        held.machine.changes = changes
        held.write()


class Used(Bench):
    """A host in use: an engine with a configuration of its own, and a container."""

    def __init__(self, host: Host, store: Store, unit: str = "") -> None:
        super().__init__(host, store)
        host.run('printf \'{\\n  "log-driver": "local"}\' > /etc/docker/daemon.json')
        if unit:
            # As if its package had it.
            where = "/usr/lib/systemd/system/docker.service.d"
            host.run(f"mkdir -p {where}; printf '[Service]\\n{unit}\\n' > {where}/own.conf; systemctl daemon-reload")
        host.run("systemctl restart docker; until docker version; do sleep 0.1; done")
        self.running = self.container()
        self.etc = files(host)

    def check_it_is_as_it_was(self) -> None:
        assert files(self.host) == self.etc
        assert self.started() == self.running
        assert self.host.output("docker info -f '{{.LiveRestoreEnabled}}'") == "false"
        assert self.host.output("systemctl is-active docker") == "active"

    def edit(self, **keys: Any) -> None:
        """As somebody does who has root there."""
        self.host.run(f"cat > /etc/docker/daemon.json <<'E'\n{json.dumps({**self.json(), **keys})}\nE")


def test_containers_run_on_where_somebody_turned_live_restore_off_since(fresh_host: FreshHost, store: Store) -> None:
    bench = Used(fresh_host("docker"), store)
    bench.provision()
    bench.edit(**{"live-restore": False})
    bench.host.run(RELOAD % "false")
    assert changed(bench.purge()) == [KEEPING, TAKING_OUT, OFF]
    assert bench.json() == {"log-driver": "local", "live-restore": False}
    bench.host.run('printf \'{\\n  "log-driver": "local"}\' > /etc/docker/daemon.json')
    bench.check_it_is_as_it_was()


def test_what_was_cut_or_is_undone_already_needs_no_restart(fresh_host: FreshHost, store: Store) -> None:
    bench = Used(fresh_host("docker"), store)
    began = bench.engine_began()
    with store.writing("orion") as held, bench.root() as root:
        run = RealRun(held, bench.log, root)
        decision = live_restore.borrow(run.look(), undo_steps.NO_TARGET)
        assert decision
        run.make(decision)
    assert bench.host.output("docker info -f '{{.LiveRestoreEnabled}}'") == "true"
    assert changed(bench.purge()) == [OFF]
    assert bench.engine_began() == began
    bench.check_it_is_as_it_was()
    bench.provision()
    recorded = bench.store.read("orion").changes
    bench.purge()
    began = bench.engine_began()
    record(store, recorded)
    assert bench.purge() == []
    assert bench.engine_began() == began
    bench.edit(**{"live-restore": True})
    bench.host.run(RELOAD % "true")
    record(store, [*recorded, LiveRestoreChanged("/etc/docker/daemon.json", before=None)])
    assert changed(bench.purge()) == [OFF]
    bench.check_it_is_as_it_was()


def test_an_engine_that_does_not_tell_when_it_is_ready_is_waited_for(fresh_host: FreshHost, store: Store) -> None:
    start = "ExecStart=\\nExecStart=/usr/sbin/dockerd -H unix:///var/run/docker.sock"
    # It takes its time, as on a slow disk.
    bench = Used(fresh_host("docker"), store, f"Type=simple\\n{start}\\nExecStartPre=sleep 2")
    bench.provision()
    assert changed(bench.purge()) == [KEEPING, TAKING_OUT, OFF]
    bench.check_it_is_as_it_was()


def test_what_dockerd_refuses_without_us_and_a_stopped_engine_cost_no_container(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Used(fresh_host("docker"), store)
    bench.provision()
    began = bench.engine_began()
    bench.edit(nosuchoption=1)
    with pytest.raises(EngineDown, match="nosuchoption"):
        bench.purge()
    assert bench.engine_began() == began
    assert bench.started() == bench.running
    assert any(isinstance(change, FileCreated) for change in bench.store.read("orion").changes)
    config = bench.json()
    del config["nosuchoption"]
    bench.host.run(f"cat > /etc/docker/daemon.json <<'E'\n{json.dumps(config)}\nE")
    bench.provision(options=["live-restore=true"])
    bench.host.run("systemctl stop docker.socket docker.service")
    before = files(bench.host)
    with pytest.raises(CheckFailed, match="is stopped but has 1 container") as raised:
        bench.purge()
    assert "systemctl start docker.service" in raised.value.hint
    assert files(bench.host) == before
    bench.host.run("systemctl start docker.service")
    bench.purge()
    bench.check_it_is_as_it_was()


def test_an_engine_that_did_not_run_before_is_stopped_again(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    units = "docker.socket docker.service"
    bench.host.run(f"systemctl disable {units}; systemctl stop {units}")
    was = "systemctl is-active docker.socket docker.service; systemctl is-enabled docker.socket docker.service; true"
    etc, before = files(bench.host), bench.host.output(was)
    bench.provision(dry_run=True)
    assert bench.host.output(was) == before
    bench.provision()
    bench.host.run("systemctl stop docker")
    bench.provision()
    assert bench.is_up
    bench.purge()
    assert bench.host.output(was) == before
    assert files(bench.host) == etc
    # One on which containers run by now goes on.
    bench.provision()
    running = bench.container()
    bench.purge()
    assert bench.started() == running


def test_purge_restores_a_configuration_that_dockerd_refuses(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    # The unit has -H fd://, and dockerd refuses both.
    complaint = "both as a flag and in the configuration file: hosts"
    bench.host.run("""echo '{"hosts":["fd://"]}' > /etc/docker/daemon.json; ! systemctl restart docker""")
    etc = files(bench.host)
    bench.provision()
    running = bench.container()
    with pytest.raises(EngineDown, match=complaint):
        bench.purge()
    assert bench.started() == running
    assert bench.live_restore == "false"
    bench.host.run("docker stop $(docker ps -q)")
    bench.purge()
    assert files(bench.host) == etc
    assert bench.store.read("orion").changes == ()
    assert bench.host.run("systemctl is-active docker", check=False).stdout != "active\n"
    assert any(complaint in note and "dockerd refuses this" in note for note in bench.log.notes)


def packages(host: Host) -> set[str]:
    listed = host.output("dpkg-query -W -f '${db:Status-Abbrev}${Package}\\n'").splitlines()
    return {line[3:] for line in listed if line[1] == "i"}


def test_what_came_along_with_the_engine_goes_with_it_but_what_somebody_needs(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host(), store)
    # Somebody's own left-over, which apt-get autoremove would take.
    bench.host.run(
        'for package in $(apt-mark showmanual); do apt-mark auto "$package"; '
        'if apt-get -s autoremove | grep "^Remv $package "; then exit; fi; apt-mark manual "$package"; done; exit 1'
    )
    before = packages(bench.host)
    bench.provision(install="distro")
    [installed] = [each for each in bench.store.read("orion").changes if isinstance(each, PackageInstalled)]
    assert {installed.package, *installed.along} == packages(bench.host) - before
    bench.host.run("apt-mark manual runc")
    # As a run leaves it that nobody saw the end of: the host has the list, too.
    record(
        store,
        [
            replace(each, along=()) if isinstance(each, PackageInstalled) else each
            for each in store.read("orion").changes
        ],
    )

    bench.purge(purge_engine=True)

    assert packages(bench.host) == before | {"runc"}
    assert not bench.host.output("ls /run/machinectl.new-packages 2>/dev/null || true").strip()
