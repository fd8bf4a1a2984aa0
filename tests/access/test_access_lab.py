"""Two homes and one real engine: request, grant, accept, docker ps, end, refused. The private key stays where it is.

SSH and TLS are encrypted: what is searched for keys is what machinectl hands to them, besides the bytes on the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.container import run_container
from tests.support.lab_cli import Cli, generic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost

pytestmark = pytest.mark.timeout(300)

RUNNING = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web"
UNTIL_REFUSED = "while docker ps -q >/dev/null 2>&1; do sleep 0.2; done; echo refused"
BEGAN = "systemctl show docker -p MainPID"


def test_a_colleague_gets_access_until_the_owner_ends_it(fresh_host: FreshHost, cli: Cli, tmp_path: Path) -> None:
    host = fresh_host("docker")
    run_container(host, "web")
    running = host.output(RUNNING)
    cli.ok(*generic(host))
    alice, request, answer = Cli(tmp_path / "alice", cli.config), tmp_path / "request", tmp_path / "answer"
    said = [alice.ok("access", "request", "office:orion", "--for", "alice", "-o", request)]
    key = (alice.store / "machines/office/key.pem").read_text().splitlines()[1]

    assert "clients.pem" in cli.ok("access", "grant", "--dry-run", request).stdout
    said.append(cli.ok("access", "grant", "-y", "-o", answer, request))
    said.append(alice.ok("access", "accept", "-y", answer))

    assert alice.shell("office", "docker ps --format '{{.Names}}'") == "web"
    assert cli.is_running()
    assert "alice" in cli.ok("access", "ls").stdout
    # Her next certificates need no restart; one ends by itself.
    began = host.output(BEGAN)
    for lifetime in ("15s", "12h"):
        cli.ok("access", "grant", "-y", "--lifetime", lifetime, "-o", tmp_path / lifetime, request)
        alice.ok("access", "accept", "-y", tmp_path / lifetime)
        assert alice.shell("office", "docker ps --format '{{.Names}}'") == "web"
        if lifetime == "15s":
            assert alice.shell("office", UNTIL_REFUSED) == "refused"
    assert host.output(BEGAN) == began

    said.append(cli.ok("access", "end", "-y", "alice", "orion"))
    assert alice.shell("office", "docker ps -q 2>/dev/null || echo refused") == "refused"
    assert cli.is_running()
    assert host.output(RUNNING) == running
    assert "alice" not in cli.ok("access", "ls").stdout
    assert "was ended on" in cli.refused("access", "grant", "-y", request)

    # Where the private key is: in her machine, and in the copy for docker that she asked for.
    texts = [done.stdout + done.stderr for done in said]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    has_key = [path for path in files if key.encode() in path.read_bytes()]
    assert [path for path in has_key if alice.store not in path.parents and "contexts" not in path.parts] == []
    assert alice.store / "machines/office/key.pem" in has_key
    assert not any(key in text for text in texts)
    assert key not in host.output("cat /etc/docker/daemon.json /etc/docker/machinectl/*")
