"""A real Docker Swarm of five servers, made by our verbs: looked after, it loses its leader, and goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.machines.swarm_node import node_of
from tests.lab.container import IMAGE, run_container
from tests.support.lab_cli import Cli, generic
from tests.support.program import COMMAND
from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.lab.host import Host
    from tests.lab.lan import Lab

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("ssh_config"), pytest.mark.long]

MANAGERS, WORKERS = ("m1", "m2", "m3"), ("w1", "w2")
# Seconds: for a change, and between questions, which take the CPU time that the swarm needs.
PATIENCE, PAUSE = 60, 0.5
ONE_BY_ONE = ["Draining", "Restoring", "Draining", "Restoring"]
ASKS = "docker ps -q >/dev/null 2>&1 && echo yes || echo no"


@pytest.fixture
def servers(lab: Lab, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Host]]:
    """Five servers with engines that are provisioned, as machines of these names, each with an image to run."""
    need("docker")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    names = (*MANAGERS, *WORKERS)
    hosts = dict(zip(names, lab.up(["docker"], count=len(names)), strict=True))

    def make(name: str) -> None:
        hosts[name].wait_booted()
        cli.ok(*generic(hosts[name], name=name))
        hosts[name].run(f"tar -C /usr -c bin/busybox | docker import - {IMAGE}")

    try:
        with ThreadPoolExecutor(4) as several:
            list(several.map(make, hosts))
        yield hosts
    finally:
        for host in hosts.values():
            host.remove()


def status(cli: Cli) -> dict[str, Any]:
    [found] = json.loads(cli.run("swarm", "status", "-t", "1", "--json").stdout)
    assert isinstance(found, dict)
    return found


def nodes(cli: Cli) -> dict[str, dict[str, Any]]:
    return {node["Machine"]: node for node in status(cli)["Nodes"]}


def until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, what
        time.sleep(PAUSE)


def docker(*words: str) -> str:
    done = subprocess.run(
        ["docker", "--context", "m1-swarm", *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def serving(servers: dict[str, Host]) -> set[str]:
    """The servers on which the service answers."""
    found = set()
    for name, host in servers.items():
        try:
            with urllib.request.urlopen(f"http://{host.ip}:8080/bin/busybox", timeout=1):
                found.add(name)
        except OSError:
            continue
    return found


def test_a_swarm_is_made_looked_after_and_goes_on_without_its_leader(
    servers: dict[str, Host], cli: Cli, store: Store, tmp_path: Path
) -> None:
    cli.ok("swarm", "init", "m1")
    cli.ok("swarm", "join", "--manager", "m1", "m2", "m3")
    cli.ok("swarm", "join", "m1", *WORKERS)

    found = status(cli)
    assert (found["Managers"], found["ReachableManagers"], found["ManagersToSpare"]) == (3, 3, 1)
    assert {node["Machine"]: node["Role"] for node in found["Nodes"]} == {
        **dict.fromkeys(MANAGERS, "manager"),
        **dict.fromkeys(WORKERS, "worker"),
    }
    listed = cli.ok("ls", "--format", "{{.Name}} {{.Swarm}}").stdout.splitlines()
    assert listed == [*(f"{name} m1 (manager)" for name in MANAGERS), *(f"{name} m1" for name in WORKERS)]

    publish = ("--publish", "mode=host,target=8080,published=8080", "--stop-signal", "KILL", "--no-resolve-image")
    web = ("/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/")
    docker("service", "create", "-q", "--name", "web", "--replicas", "3", *publish, IMAGE, *web)
    until(lambda: len(serving(servers)) == 3, "the service does not run")

    check_node_is_kept(servers["w1"], cli)
    # Two at once: one after the other is drained, restarted, and put back as it was.
    docker("node", "update", "--availability", "pause", node_id(cli, "w2"))
    assert steps(cli.ok("regenerate-certs", "-y", "w1", "w2").stderr) == ONE_BY_ONE
    assert [nodes(cli)[name]["Availability"] for name in ("w1", "w2")] == ["active", "pause"]
    assert len(serving(servers)) == 3

    # So do changes of access.
    leader = status(cli)["Leader"]
    manager = next(name for name in MANAGERS if name != leader)
    alice = holder(cli, tmp_path, manager, "w2")
    until(lambda: status(cli)["ReachableManagers"] == 3, "a manager does not come back")

    servers[leader].poweroff()
    until(lambda: status(cli)["ReachableManagers"] == 2, "the loss is not noticed")
    assert status(cli)["Leader"] not in {leader, None}
    assert status(cli)["ManagersToSpare"] == 0
    others = set(MANAGERS) - {leader}
    assert f'DOCKER_HOST="tcp://{servers[leader].ip}' not in cli.ok("env", "--swarm", leader).stdout
    assert cli.ok("env", "--swarm", leader).stdout.split('DOCKER_MACHINE_NAME="')[1].split('"')[0] in others
    assert "web" in docker("service", "ls")
    until(lambda: len(serving(servers) - {leader}) == 3, "the service is not moved")

    # With one manager off, the restart of another one would leave one of three.
    began = servers[manager].output("systemctl show docker -p MainPID")
    refused = cli.run("access", "end", "-y", "alice", "--all").stderr
    assert f'While "{manager}" restarts, its swarm would have no quorum: {leader} cannot be reached' in refused
    assert f"inish it later: machinectl access end alice {manager}" in refused
    assert servers[manager].output("systemctl show docker -p MainPID") == began
    assert [alice.shell(name, ASKS) for name in (manager, "w2")] == ["yes", "no"]

    cli.ok("swarm", "leave", "--force", leader)
    cli.ok("access", "end", "-y", "alice", "--all")
    assert alice.shell(manager, ASKS) == "no"
    until(lambda: status(cli)["ReachableManagers"] == 2, "a manager does not come back")
    cli.ok("swarm", "leave", "w1")
    assert set(nodes(cli)) == {*others, "w2"}
    assert node_of(store.read("w1")) is None
    info = servers["w1"].output("docker info -f '{{.Swarm.LocalNodeState}} {{.LiveRestoreEnabled}}'")
    assert info == "inactive false"


def check_node_is_kept(host: Host, cli: Cli) -> None:
    # What neither the engine nor the swarm starts again is not ended unasked.
    host.run(f"docker run -d --name once {IMAGE} /bin/busybox sleep 1d")
    assert "ends once for good" in cli.refused("regenerate-certs", "-y", "w1")
    assert host.output("docker inspect -f '{{.State.Running}}' once") == "true"
    host.run("docker rm -f once")
    # Killed while it is drained, the next run puts it back.
    command = cli.start("regenerate-certs", "-y", "w1")
    command.until('Draining "w1"')
    command.kill(signal.SIGKILL)
    assert nodes(cli)["w1"]["Availability"] == "drain"
    host.run("while [ -e /run/machinectl/pid ]; do sleep 0.1; done")
    cli.ok("provision", "w1")
    assert nodes(cli)["w1"]["Availability"] == "active"


def holder(cli: Cli, tmp_path: Path, *names: str) -> Cli:
    """Somebody else's computer, with access to two nodes."""
    alice, request, answer = Cli(tmp_path / "alice", cli.config), tmp_path / "request", tmp_path / "answer"
    alice.ok("access", "request", *names, "--for", "alice", "-o", request)
    assert steps(cli.ok("access", "grant", "-y", "-o", answer, request).stderr) == ONE_BY_ONE
    alice.ok("access", "accept", "-y", answer)
    assert [alice.shell(name, ASKS) for name in names] == ["yes", "yes"]
    return alice


def steps(said: str) -> list[str]:
    """When a node was drained and put back, by the first words of the lines."""
    return [word for line in said.splitlines() for word in ("Draining", "Restoring") if f"{word} " in line]


def node_id(cli: Cli, name: str) -> str:
    return str(nodes(cli)[name]["ID"])


def in_use(host: Host) -> str:
    """What tells a container of its host's owner from one that was started again."""
    return host.output("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web")


def live_restore(host: Host) -> str:
    """Whether the running engine has it, and how often daemon.json names it."""
    return host.output("docker info -f '{{.LiveRestoreEnabled}}'; grep -c live-restore /etc/docker/daemon.json || :")


def test_docker_machines_tutorial_for_swarm_is_typed_with_our_name_on_hosts_in_use(lab: Lab, cli: Cli) -> None:
    need("docker")
    hosts = dict(zip(("m1", "m2", "m3"), lab.up(["docker"], count=3), strict=True))

    def ssh(name: str, *words: str) -> str:
        return cli.ok("ssh", name, "docker", *words).stdout.strip()

    def docker_of(name: str, words: str) -> str:
        command = " ".join([*COMMAND, "-s", str(cli.store), "config", name])
        done = subprocess.run(
            ["sh", "-c", f"docker $({command}) {words}"], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        for host in hosts.values():
            host.wait_booted()
            run_container(host, "web")
        began = {name: in_use(host) for name, host in hosts.items()}
        for name in ("m1", "m2"):
            cli.ok(*generic(hosts[name], user="root", name=name))
        # Killed while live-restore is on: that is recorded, and the next run restores it.
        create = cli.start(*generic(hosts["m3"], user="root", name="m3"))
        create.until("Configuring the engine")
        create.kill(signal.SIGKILL)
        hosts["m3"].run("while [ -e /run/machinectl/pid ]; do sleep 0.1; done")
        assert live_restore(hosts["m3"]).startswith("true")
        cli.ok("provision", "m3")
        for name, host in hosts.items():
            assert (live_restore(host), in_use(host)) == ("false\n0", began[name])

        ssh("m1", "swarm", "init", "--advertise-addr", hosts["m1"].ip)
        token = ssh("m1", "swarm", "join-token", "-q", "worker")
        for name in ("m2", "m3"):
            ssh(name, "swarm", "join", "--token", token, f"{hosts['m1'].ip}:2377")
        docker_of(
            "m1", f"service create -q -d --no-resolve-image --replicas 3 --name sleep {IMAGE} /bin/busybox sleep 1d"
        )
        until(lambda: docker_of("m1", "service ls --format '{{.Replicas}}'") == "3/3\n", "the service does not run")
        assert len(docker_of("m1", "node ls -q").splitlines()) == 3
        assert {name: in_use(host) for name, host in hosts.items()} == began
    finally:
        for host in hosts.values():
            host.remove()
