"""Real servers that are not as a package leaves them: taken on all the same, or refused untouched."""

from __future__ import annotations

import pytest

from machinectl.engine import Endpoint, probe
from machinectl.errors import CheckFailed
from machinectl.machines.store import Store  # noqa: TC001 - a fixture's type
from machinectl.provision.facts.host_facts import facts_command, parse_facts
from machinectl.state import State
from tests.hosts.test_setup_lab import Bench, changed, files
from tests.lab.fixtures import FreshHost  # noqa: TC001 - a fixture's type
from tests.lab.host import Host  # noqa: TC001 - as the others
from tests.support.quiet import Quiet

pytestmark = pytest.mark.timeout(300)


def test_a_setting_that_hides_containers_is_found_before_anything_is_changed(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(
        "systemctl stop docker docker.socket; mv /var/lib/docker /big; ln -s /big /var/lib/docker; "
        "systemctl start docker"
    )
    running = bench.container()
    for pending in ('{"data-root": "/data"}', '{"userns-remap": "default"}', '{"storage-driver": "btrfs"}'):
        bench.host.run(f"echo '{pending}' > /etc/docker/daemon.json")
        before = files(bench.host)
        with pytest.raises(CheckFailed, match="would hide its 1 container"):
            bench.provision()
        assert files(bench.host) == before
    bench.host.run("rm /etc/docker/daemon.json")
    with pytest.raises(CheckFailed, match=r"storage-driver is \w+ now and btrfs afterwards"):
        bench.provision(storage_driver="btrfs")
    assert bench.started() == running
    bench.provision(storage_driver="")
    assert bench.started() == running


SECOND = (
    "echo '{}' > /etc/second.json; systemd-run -q -u docker-second dockerd --config-file /etc/second.json "
    "-H unix:///run/second.sock --data-root /var/lib/second --exec-root /run/second -p /run/second.pid --bridge=none "
    "--iptables=false --ip6tables=false; for _ in $(seq 100); do [ ! -S /run/second.sock ] || break; sleep 0.1; done"
)


def test_an_engine_of_another_unit_is_no_container_and_goes_on_beside_ours(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run("systemctl stop docker docker.socket; " + SECOND)
    with pytest.raises(CheckFailed, match=r"docker\.service did not start \(docker-second\.service, ") as raised:
        bench.provision()
    assert "systemctl stop docker-second.service" in raised.value.hint
    assert bench.host.run("test -S /run/second.sock").returncode == 0
    bench.host.run("systemctl start docker")
    running = bench.container()
    second = bench.host.output("systemctl show docker-second -p MainPID")
    bench.provision()
    assert bench.is_up
    assert bench.started() == running
    assert bench.host.output("systemctl show docker-second -p MainPID") == second
    assert changed(bench.provision()) == []


def test_a_service_that_is_another_ones_alias_is_taken_on(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(
        "systemctl disable --now docker.service docker.socket; cd /usr/lib/systemd/system && "
        'sed -e "s|^ExecStart=.*|ExecStart=/usr/sbin/dockerd -H fd:// --label=who=me|" '
        "-e 's/^\\[Install\\]/&\\nAlias=docker.service/' docker.service > moby.service && rm docker.service && "
        "systemctl daemon-reload && systemctl enable --now moby.service"
    )
    running = bench.container()
    bench.provision()
    assert bench.is_up
    assert bench.started() == running
    assert bench.host.output("docker info -f '{{.Labels}}'") == "[who=me]"
    assert changed(bench.provision()) == []
    bench.purge()
    assert bench.started() == running


UNIT = "/etc/systemd/system/podman.socket.d"
# How its socket comes to be there, and how it goes.
PODMANS = (
    (
        (
            f"mkdir -p {UNIT}; printf '[Socket]\\nListenStream=\\nListenStream=/run/docker.sock\\n' > {UNIT}/a.conf; "
            "systemctl daemon-reload; systemctl restart podman.socket"
        ),
        f"systemctl stop podman.socket; rm -rf {UNIT} /run/docker.sock; systemctl daemon-reload",
    ),
    (
        (
            "systemd-run -q --unit process podman system service -t 0 unix:///var/run/docker.sock; "
            "for _ in $(seq 100); do [ ! -S /run/docker.sock ] || break; sleep 0.1; done"
        ),
        "systemctl stop process; rm -f /run/docker.sock",
    ),
    (
        "systemctl start podman.socket; ln -s /run/podman/podman.sock /run/docker.sock",
        "systemctl disable --now podman.socket",
    ),
)


def test_podmans_socket_is_not_taken_from_it(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("podman"), store)
    bench.host.run("dpkg --force-depends -r podman-docker >/dev/null; rm -f /run/docker.sock")
    socket = "readlink -f /run/docker.sock; stat -Lc %i /run/docker.sock"
    for place, goes in PODMANS:
        bench.host.run(place)
        before = bench.host.output(socket)
        with pytest.raises(CheckFailed, match=r"such as podman \(/run/docker\.sock\)"):
            bench.provision()
        assert bench.host.output(socket) == before
        bench.host.run(goes)
    # What is left of the link when Podman has gone is in nobody's way.
    bench.host.run("test -L /run/docker.sock")
    bench.provision()
    assert bench.is_up
    assert bench.host.output("docker info -f '{{.ServerVersion}}'")


def test_a_plain_port_of_docker_sockets_is_asked_about_and_a_path_of_daemon_json_may_hold_a_space(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(
        "cd /etc/systemd/system; mkdir -p docker.socket.d docker.service.d '/etc/docker two'; "
        "printf '[Socket]\nListenStream=2375\n' >docker.socket.d/plain.conf; echo '{}' >'/etc/docker two/daemon.json'; "
        "printf '[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// %s %s\n' "
        "--containerd=/run/containerd/containerd.sock '\"--config-file=/etc/docker two/daemon.json\"' "
        ">docker.service.d/two.conf; systemctl daemon-reload; systemctl restart docker.socket docker"
    )
    plain = Endpoint(f"tcp://{bench.host.ip}:2375", name="orion")
    assert probe(plain, 5).state is State.RUNNING
    running, before = bench.container(), bench.host.snapshot()
    bench.log = Quiet(True, False)  # the first is about the host's key
    with pytest.raises(CheckFailed, match="was not changed") as raised:
        bench.provision()
    assert "--yes" in raised.value.hint
    assert any("makes the engine listen on [::]:2375 without TLS" in line for line in bench.log.warnings)
    assert bench.host.snapshot() == before
    bench.log = Quiet(True, True)
    bench.provision()
    bench.log = Quiet()
    assert bench.is_up
    assert probe(plain, 5).state is not State.RUNNING
    assert bench.started() == running
    assert bench.host.run("test -e /etc/docker/daemon.json", check=False).returncode != 0
    assert changed(bench.provision()) == []
    bench.purge()
    assert bench.host.output("cat '/etc/docker two/daemon.json'") == "{}"
    assert bench.started() == running


# What docker-machine 0.16.2 leaves: its certificates, and its drop-in (libmachine/provision/systemd.go).
DOCKER_MACHINES = (
    "cd /etc/docker && openssl req -x509 -newkey rsa:2048 -nodes -days 9 -keyout server-key.pem -out server.pem "
    "-subj /CN=orion 2>/dev/null && cp server.pem ca.pem && mkdir -p /etc/systemd/system/docker.service.d && "
    "printf '[Service]\\nExecStart=\\nExecStart=/usr/sbin/dockerd -H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock "
    "--tlsverify --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/server.pem --tlskey /etc/docker/server-key.pem "
    "--label provider=generic \\nEnvironment=\\n' > /etc/systemd/system/docker.service.d/10-machine.conf; "
    "systemctl daemon-reload; systemctl restart docker"
)


def labels(host: Host) -> set[str]:
    """The engine's labels; it tells them in any order."""
    return set(host.output("docker info -f '{{.Labels}}'").strip("[]").split())


def test_a_host_of_docker_machines_stays_ours_once_it_was_taken_on(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(DOCKER_MACHINES)
    running = bench.container()
    with bench.root() as root:
        # doctor compares the certificate there with the record.
        assert "/etc/docker/server.pem" in parse_facts(root.run(facts_command(2376)).stdout).sums
    bench.log.answers = ["no", "yes"]
    with pytest.raises(CheckFailed, match="was not changed"):
        bench.provision()
    bench.provision(labels={"rack": "7"})
    assert bench.is_up
    assert changed(bench.provision()) == []
    assert labels(bench.host) == {"provider=generic", "rack=7"}
    assert bench.started() == running
    assert len(changed(bench.provision(labels={"rack": "8"}))) == 3
    assert labels(bench.host) == {"provider=generic", "rack=8"}
    bench.purge()
    assert labels(bench.host) == {"provider=generic"}
    assert bench.started() == running
