"""Provisioning of real servers in the lab: what becomes of them, what stays, and what is put back."""

from __future__ import annotations

import json
import shlex
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.engine import Endpoint, probe
from machinectl.errors import CheckFailed, MachineError
from machinectl.hosts.engine_restart import World
from machinectl.hosts.host_run import DryRun, RealRun
from machinectl.hosts.purging import Purge
from machinectl.hosts.setup import Setup
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine, Phase
from machinectl.provision.decision import EngineDown
from machinectl.provision.host_changes import PackageInstalled, PortOpened
from machinectl.provision.target import NOTHING_SPECIAL, Allowed
from machinectl.ssh.connect import connect
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.keys.host_keys import HostKeyPolicy
from machinectl.ssh.sudo import become_root
from machinectl.state import State
from tests.lab.place import KEY
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.hosts.host_plan import Outcome
    from machinectl.machines.store import Store
    from machinectl.ssh.runner import CommandResult, Runner
    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host


pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("ways")]

# A container image without a registry.
IMAGE = "tar -C / -c usr/bin/busybox bin | docker import - box >/dev/null"
RUN = "docker run -d --name {0} --restart always box /usr/bin/busybox sleep 100000"


OTHER_CA = (
    "mkdir -p /root/tls && cd /root/tls && openssl req -x509 -newkey rsa:2048 -nodes -days 9 -keyout key.pem "
    "-out cert.pem -subj /CN=somebody 2>/dev/null && cp cert.pem ca.pem"
)


class Bench:
    """One host and a machine for it in a store."""

    def __init__(self, host: Host, store: Store, user: str = "root") -> None:
        self.host = host
        self.store = store
        self.user = user
        self.log = Quiet()
        self.world = World(script=lambda _: None)
        self.machine = Machine("orion", "generic", url=f"tcp://{host.ip}:2376", tls=True)
        self.machine.phase = Phase.PROVISIONING
        added(store, self.machine)

    @contextmanager
    def root(self) -> Iterator[Runner]:
        endpoint = SSHEndpoint(self.host.ip, self.user, self.host.port, str(KEY))
        with connect(endpoint, Credentials(), HostKeyPolicy(), self.log) as session:
            yield become_root(session, Credentials(), self.log)

    def provision(
        self,
        *,
        dry_run: bool = False,
        authority: certs.Pair | None = None,
        runner: Callable[[Runner], Runner] = lambda it: it,
        **asked: Any,
    ) -> list[Outcome]:
        once = {name: asked.pop(name) for name in list(asked) if name in {"force", "restart_swarm", "open_firewall"}}
        setup = Setup(Allowed(**once), authority, self.world)
        with self.store.writing("orion") as held, self.root() as root:
            self.machine = held.machine
            self.machine.labels = asked.pop("labels", self.machine.labels)
            self.machine.engine = EngineOptions.load(self.machine.engine.dump() | asked)
            if dry_run:
                return list(setup.carry_out(DryRun(self.store, self.machine, self.log, runner(root))).outcomes)
            return list(setup.carry_out(RealRun(held, self.log, runner(root))).outcomes)

    def purge(self, *, purge_engine: bool = False, allowed: Allowed = NOTHING_SPECIAL) -> list[Outcome]:
        with self.store.writing("orion") as held, self.root() as root:
            self.machine = held.machine
            return [*Purge(allowed=allowed, engine=purge_engine).carry_out(RealRun(held, self.log, root)).outcomes]

    @property
    def is_up(self) -> bool:
        endpoint = Endpoint(self.machine.url, tls=True, cert_dir=self.store.directory("orion"), name="orion")
        return probe(endpoint, 5).state is State.RUNNING

    def container(self, name: str = "c1") -> str:
        """Start a container, and return what tells it from one that was started again."""
        self.host.run(f"{IMAGE}; {RUN.format(name)}")
        return self.started(name)

    def started(self, name: str = "c1") -> str:
        return self.host.output(f"docker inspect -f '{{{{.State.Pid}}}} {{{{.State.StartedAt}}}}' {name}")

    def engine_began(self) -> str:
        return self.host.output("systemctl show docker -p MainPID -p ExecMainStartTimestampMonotonic")

    @property
    def live_restore(self) -> str:
        """Whether the running engine has it."""
        return self.host.output("docker info -f '{{.LiveRestoreEnabled}}'")

    def json(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.host.output("cat /etc/docker/daemon.json"))
        return read


def changed(outcomes: list[Outcome]) -> list[str]:
    return [outcome.title for outcome in outcomes if outcome.changed]


def test_a_bare_server_becomes_an_engine_host_and_a_second_run_changes_nothing(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host(), store, user="ops")
    before, bare, record = bench.host.output("hostname"), bench.host.snapshot(), bench.store.read("orion").dump()
    assert len(changed(bench.provision(dry_run=True, install="distro"))) == 2
    assert (bench.host.snapshot(), bench.store.read("orion").dump()) == (bare, record)
    bench.world = World(script=lambda _: b"#!/bin/sh\nset -e\napt-get -q -y install docker.io\n")
    outcomes = bench.provision(labels={"rack": "a 'b' \"c\" $d"}, env=['ODD=a $b %c "d" \\e'])
    assert changed(outcomes) == [
        "Installing Docker Engine: by Docker's script, https://get.docker.com",
        "Configuring the engine and restarting it",
    ]
    assert bench.is_up
    assert bench.store.read("orion").phase == Phase.READY
    # What the script has installed, not what Docker's own would.
    packages = [each.package for each in bench.store.read("orion").changes if isinstance(each, PackageInstalled)]
    assert packages == ["docker.io"]
    assert bench.host.output("hostname") == before
    assert bench.host.output("stat -c '%a %U' /etc/docker/machinectl/server.pem") == "600 root"
    info = json.loads(bench.host.output("docker info --format '{{json .}}'"))
    assert info["Labels"] == ["rack=a 'b' \"c\" $d"]
    environment = bench.host.output("tr '\\0' '\\n' < /proc/$(pidof dockerd)/environ | grep ^ODD")
    assert environment == 'ODD=a $b %c "d" \\e'
    snapshot = bench.host.snapshot()
    assert changed(bench.provision()) == []
    assert bench.host.snapshot() == snapshot
    bench.provision(labels={}, env=[])
    assert bench.is_up
    assert "labels" not in bench.json()
    assert (
        bench.host.output("docker info -f '{{.Labels}}'; ls /etc/docker/machinectl")
        == "[]\nca.pem\nrevision\nserver.pem"
    )


def test_a_lock_of_apt_is_waited_for_and_its_holder_named_also_on_debian_12(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("aptlock", suite="bookworm"), store)
    waiting: list[str] = []

    def progress(line: str) -> None:
        if line.startswith("Waiting: ") and not waiting:
            waiting.append(line)
            bench.host.run("systemctl stop aptlock")

    bench.log.progress = progress
    bench.provision()
    assert bench.is_up
    assert "aptlock (process " in waiting[0]


def test_running_containers_keep_running_when_their_host_is_taken_on_and_given_back(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run('printf \'{\\n  "log-driver": "local"}\' > /etc/docker/daemon.json; systemctl restart docker')
    running = bench.container()
    bench.container("c2")
    before = files(bench.host)
    assert changed(bench.provision(dry_run=True))[0].startswith("Keeping 2 containers running")
    assert changed(bench.provision())[-1] == "Turning live-restore off (as before)"
    assert "live-restore" not in bench.json()
    assert bench.live_restore == "false"
    assert (bench.is_up, bench.started()) == (True, running)
    began = bench.engine_began()
    assert changed(bench.provision()) == []
    assert (bench.started(), bench.engine_began()) == (running, began)
    debug = "systemctl reload docker; until docker info -f '{{.Debug}}' | grep -q true; do sleep 0.1; done"
    bench.host.run(f"sed -i '1a \"debug\": true,' /etc/docker/daemon.json; {debug}")
    assert bench.live_restore == "false"
    bench.host.run("sed -i 2d /etc/docker/daemon.json")
    bench.purge()
    assert files(bench.host) == before
    assert bench.started() == running
    assert bench.live_restore == "false"
    assert not bench.is_up
    assert bench.store.read("orion").changes == ()


def files(host: Host) -> dict[str, Any]:
    """What is on the host's disk below /etc; an engine that was restarted is another process."""
    return {path: what for path, what in host.snapshot().items() if path.startswith("/etc")}


DROP_IN = (
    "mkdir -p /etc/systemd/system/docker.service.d; printf '[Service]\\nExecStart=\\nExecStart={0}\\n' "
    "> /etc/systemd/system/docker.service.d/override.conf; systemctl daemon-reload; "
)


def test_hosts_of_daemon_json_and_flags_of_a_unit_override_stay(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(
        DROP_IN.format("/usr/sbin/dockerd --containerd=/run/containerd/containerd.sock")
        + """echo '{"hosts": ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375"], "log-driver": "json-file"}' \
        > /etc/docker/daemon.json; systemctl restart docker"""
    )
    running = bench.container()
    # Each run asks about the host's key, and the first one about the port, too.
    bench.log = Quiet(True, True, True)
    outcomes = bench.provision()
    assert bench.is_up
    assert bench.started() == running
    assert list(bench.json())[:2] == ["hosts", "log-driver"]
    assert bench.json()["hosts"] == [
        "unix:///var/run/docker.sock",
        "tcp://127.0.0.1:2375",
        "tcp://0.0.0.0:2376",
    ]
    assert any("tcp://127.0.0.1:2375 had no TLS" in line for outcome in outcomes for line in outcome.details)
    assert any("listen on tcp://127.0.0.1:2375 without TLS" in line for line in bench.log.warnings)
    assert bench.host.run("ls /etc/systemd/system/docker.service.d").stdout == "override.conf\n"
    assert changed(bench.provision()) == []
    bench.log = Quiet()
    bench.purge()
    bench.host.run("rm /etc/docker/daemon.json; systemctl reset-failed docker")
    # Flags of a unit's override move to daemon.json.
    bench.host.run(
        DROP_IN.format('/usr/sbin/dockerd -H fd:// --host=tcp://127.0.0.1:2375 --label "a=b c" --debug $DOCKER_OPTS')
        + "echo 'DOCKER_OPTS=\"-H unix:///run/other.sock --mtu 1400\"' >> /etc/default/docker; "
        "systemctl restart docker.socket docker"
    )
    running = bench.started()
    bench.log = Quiet(True, True, True, True)
    bench.provision()
    assert bench.is_up
    assert bench.started() == running
    assert bench.json()["hosts"] == [
        "fd://",
        "tcp://127.0.0.1:2375",
        "unix:///run/other.sock",
        "tcp://0.0.0.0:2376",
    ]
    assert bench.host.output("tr '\\0' ' ' < /proc/$(pidof dockerd)/cmdline").split(" ", 1)[1] == (
        "--label a=b c --debug --mtu 1400 "
    )
    assert changed(bench.provision()) == []
    bench.purge()
    assert "-H fd://" in bench.host.output("tr '\\0' ' ' < /proc/$(pidof dockerd)/cmdline")


def test_somebody_elses_tls_is_replaced_only_by_force(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(
        OTHER_CA
        + """; echo '{"tlsverify": true, "tlscacert": "/root/tls/ca.pem", "tlscert": "/root/tls/cert.pem", \
        "tlskey": "/root/tls/key.pem"}' > /etc/docker/daemon.json; systemctl restart docker"""
    )
    before = bench.host.snapshot()
    with pytest.raises(CheckFailed, match="already uses TLS"):
        bench.provision()
    assert bench.host.snapshot() == before
    etc = files(bench.host)
    bench.provision(force=True)
    assert bench.is_up
    assert changed(bench.provision()) == []
    bench.purge()
    assert files(bench.host) == etc


@pytest.mark.long
def test_an_engine_that_does_not_come_up_gets_its_old_configuration_back(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    running = bench.container()
    etc = files(bench.host)
    with pytest.raises(EngineDown) as raised:
        bench.provision(options=["data-root=/proc/nowhere"], force=True)
    assert "with the old one, it runs again" in raised.value.cause
    assert "/proc/nowhere" in raised.value.cause
    assert bench.host.output("systemctl is-active docker") == "active"
    assert bench.started() == running
    bench.provision(options=[])
    assert bench.is_up
    assert bench.started() == running
    other_ca = certs.new_ca("another")
    with pytest.raises(EngineDown):
        bench.provision(options=["data-root=/proc/nowhere"], force=True, authority=other_ca)
    assert bench.is_up
    assert bench.store.read("orion").phase == Phase.READY
    bench.provision(options=[])
    bench.purge()
    assert files(bench.host) == etc
    assert bench.started() == running
    # One that comes up, and can make no container.
    bench.provision()
    there = "docker ps -aq --no-trunc; docker images -aq; docker info -f '{{.LoggingDriver}} {{.DefaultRuntime}}'"
    config, before = bench.json(), bench.host.output(there)
    with pytest.raises(EngineDown, match=r"cannot create a container with the new configuration(.|\n)*nonsense"):
        bench.provision(options=["log-driver=nonsense"])
    assert (bench.json(), bench.host.output(there), bench.started()) == (config, before, running)
    assert bench.is_up
    # What was so before is not undone.
    config |= {"log-driver": "nonsense"}
    bench.host.run(f"echo {shlex.quote(json.dumps(config))} >/etc/docker/daemon.json; systemctl restart docker")
    bench.provision(options=["log-level=warn"])
    assert "could not before its restart" in bench.log.warnings[-1]
    assert bench.json()["log-level"] == "warn"


def test_an_engine_on_a_full_disk_is_not_restarted_until_there_is_room(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    stop, mount = "systemctl stop docker.socket docker", "mount -t tmpfs -o size=64m disk /var/lib/docker"
    bench.host.run(f"{stop}; {mount} && systemctl start docker")
    running, began = bench.container(), bench.engine_began()
    fill = "dd if=/dev/zero of=/var/lib/docker/filler bs=4k 2>/dev/null || :"
    bench.host.run(fill)
    etc = files(bench.host)
    for dry_run in (True, False):
        with pytest.raises(CheckFailed, match=r"disk is full: /var/lib/docker.*lose 1 running container"):
            bench.provision(dry_run=dry_run)
    assert (bench.started(), bench.engine_began(), files(bench.host)) == (running, began, etc)
    bench.host.run("rm /var/lib/docker/filler")
    bench.provision()
    assert bench.started() == running
    bench.host.run(fill)
    with pytest.raises(CheckFailed, match="disk is full"):
        bench.purge()
    with pytest.raises(
        MachineError, match=r"1 of 1 containers did not keep running on the host: 1 forgotten by the engine"
    ):
        bench.provision(options=["log-level=warn"], force=True)
    # As the hint says.
    bench.host.run("rm /var/lib/docker/filler; systemctl restart docker")
    assert bench.host.output("docker ps --format '{{.Names}}'") == "c1"


def test_a_swarm_node_is_not_restarted_unasked_and_gets_no_live_restore(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run("docker swarm init --advertise-addr eth0")
    before, etc = bench.engine_began(), files(bench.host)
    with pytest.raises(CheckFailed, match="Swarm node"):
        bench.provision()
    assert (bench.engine_began(), files(bench.host)) == (before, etc)
    bench.provision(restart_swarm=True)
    assert bench.is_up
    assert "live-restore" not in bench.json()
    state = "docker info -f '{{.Swarm.LocalNodeState}}'"
    assert bench.host.output(state) == "active"
    assert changed(bench.provision()) == []
    before = bench.engine_began()
    with pytest.raises(CheckFailed, match="Swarm node"):
        bench.purge()
    assert bench.engine_began() == before
    bench.purge(allowed=Allowed(restart_swarm=True))
    assert files(bench.host) == etc
    bench.provision(restart_swarm=True)
    bench.host.run("docker swarm update --autolock=true")
    before = bench.engine_began()
    with pytest.raises(CheckFailed, match="autolock"):
        bench.provision(options=["debug"])
    with pytest.raises(CheckFailed, match="autolock"):
        bench.purge()
    assert bench.engine_began() == before
    bench.provision(options=["debug"], restart_swarm=True)
    assert bench.host.output(state) == "locked"
    assert bench.log.warnings[-1].endswith("on the host: docker swarm unlock")


def test_what_dockerd_refuses_costs_no_restart_and_is_foretold_by_a_dry_run(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.container()
    assert len(changed(bench.provision(dry_run=True))) == 3
    running, began = bench.started(), bench.engine_began()
    for wrong in ('{"debgu": true}', '{"hosts": ["unix:///run/other.sock"]}'):
        bench.host.run(f"echo '{wrong}' >/etc/docker/daemon.json")
        before, record = bench.host.snapshot(), bench.store.read("orion").dump()
        with pytest.raises(CheckFailed, match=r"dockerd would refuse its configuration:(.|\n)*(debgu|hosts)"):
            bench.provision(dry_run=True)
        assert bench.host.snapshot() == before
        assert bench.store.read("orion").dump() == record
        with pytest.raises(CheckFailed, match="dockerd would refuse its configuration"):
            bench.provision()
        assert bench.host.snapshot() == before
        assert bench.store.read("orion").changes == ()
    bench.host.run("echo '{}' >/etc/docker/daemon.json")
    with pytest.raises(CheckFailed, match="nosuchoption"):
        bench.provision(dry_run=True, options=["nosuchoption=1"])
    assert (bench.started(), bench.engine_began()) == (running, began)


def test_containers_survive_an_engine_that_does_not_start_any_more(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    running = bench.container()
    bench.provision()
    # No address of the host's: dockerd checks that only when it starts.
    wrong = "tcp://203.0.113.9:2399"
    bench.host.run(f'sed -i \'s|"tcp://|"{wrong}", &|\' /etc/docker/daemon.json')
    with pytest.raises(EngineDown, match="neither with the new configuration nor with the old one") as raised:
        bench.provision(labels={"rack": "7"})
    assert any("was changed since the engine was started" in warning for warning in bench.log.warnings)
    assert "live-restore stays on in /etc/docker/daemon.json" in raised.value.hint
    assert bench.json()["live-restore"] is True
    with pytest.raises(CheckFailed, match="its start ends them"):
        bench.purge()
    assert bench.json()["live-restore"] is True
    bench.host.run(f"sed -i 's|\"{wrong}\",||' /etc/docker/daemon.json")
    bench.host.run("systemctl reset-failed docker; systemctl start docker")
    assert bench.started() == running
    bench.provision()
    assert bench.started() == running
    assert bench.live_restore == "false"
    assert "live-restore" not in bench.json()


def test_what_cannot_be_written_and_an_engine_of_somebody_elses_are_refused(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    before = bench.engine_began()
    host, why = bench.host, r"could not be written; its files are unchanged:\n.*(Read-only|No space)"
    for harm, mend in ((host.readonly_etc, host.writable_etc), (host.fill_disk, host.free_disk)):
        harm()
        with pytest.raises(MachineError, match=why) as raised:
            bench.provision()
        assert "lsattr" in raised.value.hint
        mend()
    assert bench.engine_began() == before
    bench.host.run("systemctl disable -q --now docker docker.socket")
    bench.host.run("systemd-run -q --unit=keeper sh -c 'dockerd -H unix:///run/x.sock & wait'")
    bench.host.run("until docker -H unix:///run/x.sock version >/dev/null 2>&1; do sleep 0.1; done")
    with pytest.raises(CheckFailed, match=r"docker.service did not start \(keeper\.service, \d+\)") as raised:
        bench.provision()
    assert f"create -d none --url ssh://<USER>@{bench.host.ip}" in raised.value.hint
    bench.host.run("systemctl stop keeper")
    bench.provision()
    assert bench.is_up


def test_a_port_that_cannot_be_reached_names_the_firewall_and_is_opened_when_asked(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run("iptables -A INPUT -p tcp --dport 2376 -j REJECT --reject-with tcp-reset")
    before, record = bench.host.snapshot(), bench.store.read("orion").dump()
    for dry_run in (True, False):
        with pytest.raises(CheckFailed) as raised:
            bench.provision(dry_run=dry_run)
        assert "iptables -I INPUT -p tcp --dport 2376 -j ACCEPT" in raised.value.hint
    assert (bench.host.snapshot(), bench.store.read("orion").dump()) == (before, record)
    assert changed(bench.provision(open_firewall=True)) == [CONFIGURED, "Opening port 2376 in iptables"]
    assert bench.is_up
    bench.purge()
    assert "ACCEPT" not in bench.host.output("iptables -S INPUT | tail -n +2")


class Accident:
    """A runner to whose host something happens as soon as a job there has come to a certain point."""

    def __init__(self, root: Runner, host: Host, point: str, happening: Callable[[], object]) -> None:
        self.root = root
        self.host = host
        self.point = point
        self.happening = happening
        self.is_watching = False

    def run(self, script: str, **options: Any) -> CommandResult:
        # It happens once, however many jobs there are until then.
        if "job.sh" in script and not self.is_watching:
            self.is_watching = True
            threading.Thread(target=self.strike, daemon=True).start()
        return self.root.run(script, **options)

    def strike(self) -> None:
        self.host.run(f"until {self.point}; do sleep 0.01; done")
        self.happening()


APPLYING = "[ -e /etc/docker/machinectl/transaction/phase ]"


@pytest.mark.parametrize(
    ("point", "ways"),
    [(APPLYING, "system"), ("grep -q tlsverify /etc/docker/daemon.json", "native")],
    indirect=["ways"],
    ids=["before", "after"],
)
def test_a_host_that_loses_power_while_its_engine_is_configured_is_mended(
    fresh_host: FreshHost, store: Store, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setattr("machinectl.ssh.ssh_settings.ALIVE_INTERVAL", 0.3)
    bench = Bench(fresh_host("docker"), store)
    host = bench.host
    with pytest.raises(MachineError):
        bench.provision(runner=lambda root: Accident(root, host, point, host.poweroff))
    host.start()
    assert host.output("systemctl is-active docker") == "active"
    bench.provision()
    assert bench.is_up
    assert host.run("ls /etc/docker/machinectl").stdout.split() == ["ca.pem", "revision", "server.pem"]


class Busybox:
    """A runner on a host whose shell, awk, sed, tar and all the rest are busybox's, as on Alpine."""

    def __init__(self, root: Runner) -> None:
        self.root = root

    def run(self, script: str, **options: Any) -> CommandResult:
        # Debian's busybox takes its own programs before those of the PATH.
        return self.root.run(f"busybox sh -c {shlex.quote(script)}", **options)


def test_busybox_is_all_that_the_scripts_need(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run("echo '{\"debug\": true}' > /etc/docker/daemon.json; systemctl restart docker")
    running = bench.container()
    with pytest.raises(EngineDown, match="/proc/nowhere"):
        bench.provision(options=["data-root=/proc/nowhere"], force=True, runner=Busybox)
    assert bench.json() == {"debug": True}
    assert bench.live_restore == "false"
    assert len(changed(bench.provision(options=[], runner=Busybox))) == 3
    assert bench.is_up
    assert bench.started() == running
    assert changed(bench.provision()) == []


CONFIGURED = "Configuring the engine and restarting it"
FIREWALLS = {
    "ufw": "ufw allow 2376/tcp",
    "firewalld": "firewall-cmd -q --permanent --add-port=2376/tcp && firewall-cmd -q --add-port=2376/tcp",
    "nftables": "nft insert rule inet filter input tcp dport 2376 accept",
}


@pytest.mark.parametrize("variant", FIREWALLS)
def test_each_firewall_is_named_opened_when_asked_and_closed_again(
    fresh_host: FreshHost, store: Store, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    monkeypatch.setattr("machinectl.hosts.engine_restart.VERIFY_TIMEOUT", 1.0)
    bench = Bench(fresh_host("docker", variant), store)
    before = bench.host.snapshot()
    with pytest.raises(CheckFailed) as raised:
        bench.provision()
    assert FIREWALLS[variant] in raised.value.hint
    assert bench.host.snapshot() == before
    assert changed(bench.provision(open_firewall=True)) == [CONFIGURED, f"Opening port 2376 in {variant}"]
    assert bench.is_up
    assert changed(bench.provision(open_firewall=True)) == []
    rules = "nft list ruleset | grep -c 'dport 2376 .*accept'"
    assert bench.host.run(rules, check=False).stdout != "0\n"
    opened = bench.store.read("orion").changes
    bench.purge()
    assert bench.host.run(rules, check=False).stdout == "0\n"
    # A rule that is gone already keeps nothing from being undone.
    with store.writing("orion") as held:
        held.machine.changes = [change for change in opened if isinstance(change, PortOpened)]
        held.write()
    assert changed(bench.purge()) == [f"Closing the port in {variant}"]
    assert bench.store.read("orion").changes == ()
    left = {path: what for path, what in bench.host.snapshot().items() if "firewalld" in path}
    assert left == {path: what for path, what in before.items() if "firewalld" in path}
