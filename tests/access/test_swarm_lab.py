"""Access to the nodes of a real swarm: they are drained, restarted one by one, and never without a quorum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.container import IMAGE
from tests.support.lab_cli import Cli
from tests.support.lab_swarm import nodes, servers_with_image, status, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.host import Host
    from tests.lab.lan import Lab

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]

NAMES = ("m1", "m2", "m3")
ONE_BY_ONE = ["Draining", "Restoring", "Draining", "Restoring"]
BEGAN = "systemctl show docker -p MainPID"
ASKS = "docker ps -q >/dev/null 2>&1 && echo yes || echo no"


@pytest.fixture
def servers(lab: Lab, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Host]]:
    """Three managers of a swarm that runs a service."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with servers_with_image(lab, cli, NAMES) as hosts:
        cli.ok("swarm", "init", "m1")
        cli.ok("swarm", "join", "--manager", "m1", "m2", "m3")
        service = f"-q --name web --replicas 2 --stop-signal KILL --no-resolve-image {IMAGE} /bin/busybox sleep 1d"
        hosts["m1"].run(f"docker service create {service}")
        yield hosts


def is_whole(cli: Cli) -> bool:
    """Whether all managers can be reached, and each node takes tasks."""
    found = status(cli)
    states = {(node["Availability"], node["Status"]) for node in found["Nodes"]}
    return found["ReachableManagers"] == len(NAMES) and states == {("active", "ready")}


def steps(said: str) -> list[str]:
    """When a node was drained and put back, by the first words of the lines."""
    return [word for line in said.splitlines() for word in ("Draining", "Restoring") if f"{word} " in line]


def test_nodes_are_drained_one_by_one_and_no_access_ends_without_a_quorum(
    servers: dict[str, Host], cli: Cli, tmp_path: Path
) -> None:
    until(lambda: is_whole(cli), "the swarm is not ready")
    alice, request, answer = Cli(tmp_path / "alice", cli.config), tmp_path / "request", tmp_path / "answer"
    alice.ok("access", "request", "m1", "m2", "--for", "alice", "-o", request)
    granted = cli.ok("access", "grant", "-y", "-o", answer, request)
    issued = cli.ok("access", "issue", "-y", "env", "m1", "--out", tmp_path / "env")
    alice.ok("access", "accept", "-y", answer)
    assert steps(granted.stderr) == ONE_BY_ONE
    assert steps(issued.stderr) == ["Draining", "Restoring"]
    assert [alice.shell(name, ASKS) for name in ("m1", "m2")] == ["yes", "yes"]
    assert {node["Availability"] for node in nodes(cli).values()} == {"active"}

    # With one manager off, the restart of another one would leave one of three.
    servers["m3"].poweroff()
    until(lambda: status(cli)["ReachableManagers"] == 2, "the loss is not noticed")
    began = [servers[name].output(BEGAN) for name in ("m1", "m2")]
    refused = cli.run("access", "end", "-y", "alice", "--all")
    assert refused.returncode == 1
    for name in ("m1", "m2"):
        assert f'While "{name}" restarts, its swarm would have no quorum: m3 cannot be reached' in refused.stderr
        assert f"inish it later: machinectl access end alice {name}" in refused.stderr
    assert "would have no quorum" in cli.refused("access", "issue", "-y", "github", "m2", "--out", tmp_path / "github")
    assert [servers[name].output(BEGAN) for name in ("m1", "m2")] == began
    assert [alice.shell(name, ASKS) for name in ("m1", "m2")] == ["yes", "yes"]
    listed = cli.ok("access", "ls").stdout
    assert listed.count("not ended yet") == 2
    assert "github" not in listed

    servers["m3"].start()
    until(lambda: is_whole(cli), "it does not come back")
    assert steps(cli.ok("access", "end", "-y", "alice", "--all").stderr) == ONE_BY_ONE
    assert [alice.shell(name, ASKS) for name in ("m1", "m2")] == ["no", "no"]
    assert "alice" not in cli.ok("access", "ls").stdout
    # Everybody else goes on, and so does the swarm.
    assert cli.shell("m1", f"set -a; . {tmp_path}/env/m1/docker.env; {ASKS}") == "yes"
    assert [cli.is_running(name) for name in NAMES] == [True, True, True]
    until(lambda: is_whole(cli), "a node stays drained, or does not come back")
    running = "docker service ls --format '{{.Replicas}}'"
    until(lambda: servers["m1"].output(running) == "2/2", "the service does not run again")
