"""Real hosts whose engine is reached over SSH only: made, converted while containers run, and given back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.container import IMAGE, run_container
from tests.support.lab_cli import generic

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.lab.snapshot import Snapshot
    from tests.support.lab_cli import Cli

pytestmark = pytest.mark.timeout(300)

USER = "ops"
# usermod keeps the last version of what it changes.
COPIES = {"/etc/group-", "/etc/gshadow-"}


def on_disk(host: Host) -> Snapshot:
    return {path: what for path, what in host.snapshot().items() if path.startswith("/etc") and path not in COPIES}


def listens(host: Host) -> bool:
    return ":2376 " in host.output("busybox netstat -ltn")


def is_member(host: Host) -> bool:
    return "docker" in host.output(f"id -nG {USER}").split()


def test_a_host_without_a_listener_is_converted_and_given_back_with_its_containers_running(
    fresh_host: FreshHost, cli: Cli, runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    host = fresh_host("docker")
    container = f"unit docker-{run_container(host, 'web')}.scope"
    began, disk = host.snapshot()[container], on_disk(host)
    assert "usermod -aG docker" in cli.ok(*generic(host, "--ssh-only", "--dry-run", user=USER)).stdout
    assert on_disk(host) == disk
    created = cli.ok(*generic(host, "--ssh-only", user=USER))
    assert "with that has root's power on the host" in created.stderr
    assert "machinectl ssh-config --write" in created.stderr
    # docker's own ssh knows the keys from now on.
    cli.config.write(cli.ok("ssh-config", "--write").stdout)
    for now in (True, False, True):
        # The first time, `create` has done it already.
        cli.ok("set", f"--ssh-only={str(now).lower()}", "orion")
        cli.ok("provision", "orion")
        assert (listens(host), is_member(host), cli.is_running()) == (not now, now, True)
        assert cli.ok("url", "orion").stdout.startswith("ssh://" if now else "tcp://")
        assert "nothing to do" in cli.ok("provision", "orion").stderr
        assert "web" in cli.ok("ps", "orion").stdout
        assert host.snapshot()[container] == began
    for words in (
        ["api", "orion", "/_ping"],
        ["info", "orion"],
        ["images", "orion"],
        ["run", "orion", "--", "true"],
        ["docker", "orion", "--", "ps"],
        ["socket", "orion", "--", "docker", "save", "-o", "image.tar", IMAGE],
        ["push", "--from-file", "image.tar", IMAGE, "orion"],
        ["socket", "orion", "--forward", "--", "true"],
    ):
        cli.ok(*words)
    assert 'DOCKER_HOST="ssh://' in cli.ok("env", "orion").stdout
    assert cli.ok("config", "orion").stdout.startswith("-H=ssh://")
    # Queries use a kept connection.
    assert list(runtime.glob("*/*"))
    Path("fleet.yaml").write_text(cli.ok("fleet", "init").stdout)
    assert "ssh-only: true" in Path("fleet.yaml").read_text()
    assert cli.run("plan", "--detailed-exitcode").returncode in {0, 4}
    checks = cli.run("doctor", "orion").stdout
    assert "✗ orion" not in checks
    cli.ok("rm", "-y", "--purge", "orion")
    assert (on_disk(host), host.snapshot()[container], is_member(host)) == (disk, began, False)
