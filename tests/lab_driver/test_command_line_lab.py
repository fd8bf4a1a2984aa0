"""A machine whose host its driver makes, as its user has it: made, provisioned, switched and taken away."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lab.lan import Lab
    from tests.support.lab_cli import Cli

pytestmark = pytest.mark.timeout(300)

CREATE = ("create", "-d", "lab", "--lab-variants", "docker", "box")


def test_a_host_is_made_provisioned_switched_and_taken_away(lab_driver: Lab, cli: Cli) -> None:
    assert 'Driver lab would make "box"' in cli.ok(*CREATE, "--dry-run").stdout
    assert (lab_driver.of_hosts(), cli.machines) == (set(), [])

    cli.ok(*CREATE)
    [host] = lab_driver.hosts()
    assert cli.is_running("box")
    assert cli.ok("ssh", "box", "hostname").stdout == f"{host.name}\n"
    cli.ok("stop", "box")
    assert not host.is_on
    assert cli.ok("ls", "--format", "{{.State}} {{.Error}}").stdout == "Stopped \n"
    assert cli.ok("status", "box").stdout == "Stopped\n"
    cli.ok("start", "box")
    assert cli.is_running("box")
    cli.ok("kill", "box")
    assert not host.is_on
    assert "let me in" not in (cli.store / "machines/box/machine.json").read_text()

    cli.ok("rm", "-y", "box")
    assert (lab_driver.of_hosts(), cli.machines) == (set(), [])


@pytest.mark.parametrize("host_is_there", [False, True])
def test_a_create_that_was_killed_is_gone_on_with_or_given_back(lab_driver: Lab, cli: Cli, host_is_there: bool) -> None:
    for end in (("rm", "-y", "box"), CREATE):
        killed = cli.start(*CREATE)
        if host_is_there:
            killed.until("is trusted")
        else:
            while not lab_driver.owners():
                assert killed.runs
        killed.kill(signal.SIGKILL)
        assert cli.machines == ["box"]
        cli.ok(*end)
        assert len(lab_driver.hosts()) == len(cli.machines)
    assert cli.is_running("box")
