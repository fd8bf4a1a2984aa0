"""`rm` of real servers: what it foretells, what it leaves, and that a host is taken on again or put back as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.container import run_container
from tests.lab.image import PASSWORD
from tests.support.lab_cli import generic
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.lab.snapshot import Snapshot
    from tests.support.lab_cli import Cli

pytestmark = pytest.mark.timeout(300)

ETC = "find /etc/docker /etc/systemd/system/docker.service.d -type f -exec sha256sum {} + 2>/dev/null | sort"
RUNNING = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web"


def test_a_host_is_one_machines_and_when_that_is_removed_it_is_taken_on_again_or_put_back_as_foretold(
    fresh_host: FreshHost, cli: Cli
) -> None:
    host = fresh_host("docker")
    run_container(host, "web")
    etc, running = host.run(ETC, check=False).stdout, host.output(RUNNING)
    cli.ok(*generic(host))
    before, record = host.snapshot(), (cli.store / "machines/orion/machine.json").read_bytes()

    foretold = cli.ok("rm", "--dry-run", "--purge", "orion")

    assert [line for line in foretold.stdout.splitlines() if line.startswith("Planned: ")] == [
        "Planned: Keeping 1 container running: live-restore, by a reload",
        "Planned: Removing our configuration from the engine",
        "Planned: Turning live-restore off (as before)",
        "Planned: Forgetting orion",
    ]
    assert "    remove /etc/docker/machinectl/ca.pem" in foretold.stdout.splitlines()
    assert host.snapshot() == before
    assert (cli.store / "machines/orion/machine.json").read_bytes() == record
    assert 'The host already belongs to the machine "orion"' in cli.refused(*generic(host, name="rigel"))
    assert cli.machines == ["orion"]

    ca = (cli.store / "machines/orion/ca.pem").read_bytes()
    assert "/etc/docker/daemon.json" in cli.ok("rm", "-y", "orion").stderr
    foretold = cli.ok(*generic(host, "--dry-run", name="rigel"))
    assert "Configuring" not in foretold.stdout
    cli.ok(*generic(host, name="rigel"))
    assert cli.is_running("rigel")
    assert (cli.store / "machines/rigel/ca.pem").read_bytes() == ca
    assert cli.ok("ls", "--removed", "-q").stdout == ""

    cli.ok("rm", "-y", "rigel")
    assert cli.ok("ls", "--removed", "-q").stdout == "rigel\n"
    cli.ok("rm", "-y", "--purge", "rigel")
    assert cli.ok("ls", "--removed", "-q").stdout == ""
    assert host.run(ETC, check=False).stdout == etc
    assert host.output(RUNNING) == running


def on_disk(host: Host) -> Snapshot:
    return {path: what for path, what in host.snapshot().items() if path.startswith(("/etc", "/root", "/home"))}


@pytest.mark.parametrize("refused", [False, True])
def test_a_key_that_was_let_in_is_foretold_and_taken_out_again(
    fresh_host: FreshHost, cli: Cli, tmp_path: Path, *, refused: bool
) -> None:
    host = fresh_host("docker", "password")
    if refused:
        host.run("echo '{' > /etc/docker/daemon.json")
    key = keygen(tmp_path / "key")
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    sudo = ("--sudo-password-file", secret)
    assert "--ssh-password-file" in cli.refused(*generic(host, key=key))
    create = generic(host, "--ssh-password-file", secret, *sudo, "--generic-copy-key", key=key)
    before = on_disk(host)
    if refused:
        assert "not JSON" in cli.refused(*create)
        assert on_disk(host) == before
        assert cli.machines == []
        return
    file = "/home/ops/.ssh/authorized_keys"
    assert f"Planned: Authorizing your key: {file}\n" in cli.ok(*create[:-1], "--dry-run", "orion").stdout
    assert on_disk(host) == before
    assert f"Authorizing your key: {file}" in cli.ok(*create).stderr
    assert cli.is_running()
    assert "nothing to do" in cli.ok("provision", "orion").stderr
    assert f"Planned: Removing your key: {file}\n" in cli.ok("rm", "--dry-run", "--purge", *sudo, "orion").stdout
    assert f"Removing your key: {file}" in cli.ok("rm", "-y", "--purge", *sudo, "orion").stderr
    assert on_disk(host) == before


def test_who_has_lost_a_host_to_another_machine_takes_nothing_from_it(fresh_host: FreshHost, cli: Cli) -> None:
    host = fresh_host("docker")
    run_container(host, "web")
    cli.ok(*generic(host))
    cli.ok(*generic(host, "--force", name="rigel"))
    etc, running = host.output(ETC), host.output(RUNNING)

    told = cli.run("doctor", "orion").stdout
    assert 'the machine "rigel" has set the host up since' in told
    assert "machinectl rm --forget orion" in told
    for options in (["--dry-run"], ["-y"]):
        refused = cli.refused("rm", "--purge", *options, "orion")
        assert 'the machine "rigel" has set it up since, and would be locked out' in refused
        assert refused.endswith("machinectl rm --forget orion")
    cli.ok("rm", "--forget", "-y", "orion")

    assert cli.machines == ["rigel"]
    assert cli.is_running("rigel")
    assert (host.output(ETC), host.output(RUNNING)) == (etc, running)
    cli.ok("rm", "--purge", "-y", "rigel")
    assert "tls" not in host.output("cat /etc/docker/daemon.json")
    assert host.output(RUNNING) == running
